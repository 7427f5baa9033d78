import { memorySource } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { digestBytes, type Image, memoryStore, openImage, putImage, type TarMember } from '@bootable/oci'
import {
  createRepository,
  type ImportedImage,
  type ImportImageOptions,
  importImage,
  type Repository,
} from '@bootable/ostree'
import { type FileTree, walkTree } from '@bootable/tree'
import { type LayerFile, layerTar } from '../../../../tooling/layer-tar.ts'
import type { NumberedLayer } from '../../src/import/layer-error.ts'

/**
 * Members of a layer, told as text: `d/`, `f=content`, `s->target`, `h==target`, `name!type`. A number and a
 * blank in front are the owner.
 */
export function entries(...texts: readonly (string | LayerFile)[]): LayerFile[] {
  return texts.map((text) => {
    if (typeof text !== 'string') return text
    const [, owner, name = '', sign, rest = ''] = /^(?:(\d+) )?(.*?)(->|==|=|!|$)(.*)$/s.exec(text) ?? []
    const own = { uid: Number(owner ?? 0), gid: Number(owner ?? 0) }
    if (name.endsWith('/')) return { ...own, path: name.slice(0, -1), type: 'directory', mode: 0o750 }
    if (sign === '->') return { ...own, path: name, type: 'symlink', linkName: rest }
    if (sign === '==') return { ...own, path: name, type: 'hardlink', linkName: rest }
    if (sign === '!') return { ...own, path: name, type: rest as LayerFile['type'] }
    return { ...own, path: name, type: 'file', mode: 0o644, data: rest }
  })
}

/** The same as members of a layer that was read, contents left out. */
export function members(...texts: readonly (string | LayerFile)[]): TarMember[] {
  return entries(...texts).map((entry) => ({
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    size: 0,
    linkName: '',
    major: 0,
    minor: 0,
    xattrs: new Map(),
    offset: 0,
    ...entry,
  }))
}

/** A layer with nothing in it but a name. */
export function namedLayer(index = 0): NumberedLayer {
  const digest = digestBytes(new Uint8Array([index]))
  const descriptor = { mediaType: 'application/x-tar', digest, size: 0 }
  return {
    index,
    content: memorySource(new Uint8Array(0)),
    members: [],
    descriptor: { descriptor, diffId: digest, compression: 'none' },
  }
}

/** What {@link imageOf} puts into the configuration. */
export interface ImageSettings {
  readonly labels?: Readonly<Record<string, string>>
  readonly created?: string
}

/** An image in memory of these layers. */
export async function imageOf(
  layers: readonly (readonly LayerFile[])[],
  { labels = {}, created = '2026-01-02T03:04:05Z' }: ImageSettings = {},
): Promise<Image> {
  const store = memoryStore()
  const tars = layers.map((layer) => new Uint8Array(layerTar(layer)))
  const parts = {
    layers: tars.map(
      (tar) =>
        async function* () {
          yield tar
        },
    ),
    config: { Labels: labels },
    created,
  }
  await putImage(store, parts, { reference: 'test', compression: 'none', runtime: nodeRuntime })
  return openImage(store, 'test')
}

/** {@link ImportedImage} with the repository it went into. */
export interface ImportResult extends ImportedImage {
  readonly repository: Repository
}

/** Imports an image into a repository of its own. */
export async function importInto(
  image: Image,
  options: Partial<ImportImageOptions> = {},
): Promise<ImportResult> {
  const repository = createRepository({ runtime: nodeRuntime })
  const imported = await importImage(image, {
    repository,
    reference: 'docker://registry.example.com/os:latest',
    runtime: nodeRuntime,
    ...options,
  })
  return { repository, ...imported }
}

/** A tree as short lines: `uid mode path`, with `=content`, `/` or `->target` behind it. */
export async function list(tree: FileTree): Promise<string[]> {
  const lines: string[] = []
  for (const { path, inode } of walkTree(tree)) {
    const start = `${inode.uid} ${inode.mode.toString(8)} ${path}`
    if (inode.type === 'directory') lines.push(`${start}/`)
    else if (inode.type === 'symlink') lines.push(`${start}->${inode.target}`)
    else if (inode.type === 'file') {
      const content = new Uint8Array(inode.content.size)
      await inode.content.read(0, content)
      lines.push(`${start}=${new TextDecoder().decode(content)}`)
    } else lines.push(`${start} ${inode.type}`)
  }
  return lines
}

/** The paths of a tree, directories with a slash behind. */
export function paths(tree: FileTree): string[] {
  return [...walkTree(tree)]
    .filter(({ path }) => path !== '')
    .map(({ path, inode }) => (inode.type === 'directory' ? `${path}/` : path))
}
