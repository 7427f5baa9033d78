import { gzipSync } from 'node:zlib'
import { utf8 } from '@bootable/bytes'
import {
  type Descriptor,
  digestBytes,
  type Image,
  type ImageManifest,
  type ImageStore,
  MEDIA_TYPE,
  memoryStore,
  openImage,
  unpackImage,
} from '@bootable/oci'
import { dumpTree, type FileTree, walkTree } from '@bootable/tree'
import { putBytes } from '../fixture.ts'
import { archive, header, member } from '../layer/raw-tar.ts'

/** Members of a layer, told as text: `d/`, `f=content`, `s->target`, `h==target`. Whiteouts are files. */
export function layer(...members: readonly (string | Uint8Array)[]): Uint8Array {
  return archive(
    ...members.map((entry) => {
      if (entry instanceof Uint8Array) return entry
      if (entry.endsWith('/')) return header({ name: entry, type: '5', mode: 0o750 })
      const [, name = '', sign, rest = ''] = /^(.*?)(->|==|=|$)(.*)$/.exec(entry) ?? []
      if (sign === '->') return header({ name, type: '2', linkName: rest, mode: 0o777 })
      if (sign === '==') return header({ name, type: '1', linkName: rest })
      return member({ name }, rest)
    }),
  )
}

/** What {@link imageOf} may be told. */
export interface ImageOfOptions {
  readonly store?: ImageStore
  /** Diff ids of the configuration where they are to be others than the right ones. */
  readonly diffIds?: readonly string[]
  /** Turns an uncompressed layer into a blob. @defaultValue gzip */
  readonly compress?: (tar: Uint8Array, index: number) => Uint8Array
  readonly mediaType?: string
}

/** An image in memory made of these uncompressed layers. */
export async function imageOf(layers: readonly Uint8Array[], options: ImageOfOptions = {}): Promise<Image> {
  const { store = memoryStore(), compress = (tar) => new Uint8Array(gzipSync(tar)) } = options
  const { mediaType = MEDIA_TYPE.layerGzip } = options
  const config = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: options.diffIds ?? layers.map((tar) => digestBytes(tar)) },
  }
  const descriptors: Descriptor[] = []
  for (const [index, tar] of layers.entries()) {
    descriptors.push(await putBytes(store, compress(tar, index), mediaType))
  }
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: await putBytes(store, utf8(JSON.stringify(config)), MEDIA_TYPE.config),
    layers: descriptors,
  }
  const raw = utf8(JSON.stringify(manifest))
  const { digest } = await store.putManifest(raw, { mediaType: MEDIA_TYPE.manifest, reference: 'test' })
  return openImage(store, digest)
}

/** The tree of these layers. */
export async function unpack(...layers: readonly Uint8Array[]): Promise<FileTree> {
  return unpackImage(await imageOf(layers))
}

/** A tree as short lines: `path=content`, `path/`, `path->target`, `path==first name`. Sorted. */
export async function list(tree: FileTree): Promise<string[]> {
  const lines: string[] = []
  for (const { path, inode, linkOf } of walkTree(tree)) {
    if (path === '') continue
    if (linkOf !== undefined) lines.push(`${path}==${linkOf}`)
    else if (inode.type === 'directory') lines.push(`${path}/`)
    else if (inode.type === 'symlink') lines.push(`${path}->${inode.target}`)
    else if (inode.type === 'file') {
      const content = new Uint8Array(inode.content.size)
      await inode.content.read(0, content)
      lines.push(`${path}=${new TextDecoder().decode(content)}`)
    } else lines.push(`${path} ${inode.type}`)
  }
  return lines
}

/** The whole of a tree as text. */
export async function dump(tree: FileTree): Promise<string> {
  const lines: string[] = []
  for await (const line of dumpTree(tree)) lines.push(line)
  return lines.join('\n')
}
