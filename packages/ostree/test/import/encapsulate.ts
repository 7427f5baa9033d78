import { concatBytes, streamSource, toHex } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  type Checksum,
  commitTree,
  createRepository,
  encodeXattrs,
  objectPath,
  type Repository,
} from '@bootable/ostree'
import type { FileTree } from '@bootable/tree'
import type { LayerFile } from '../../../../tooling/layer-tar.ts'

/**
 * How the extended attributes of a file object are told: in a file of their own, as a hard link to a
 * `.file-xattrs`, or as the first version of the form did it.
 */
export type XattrsForm = 'file' | 'link' | 'v0'

export const REPOSITORY = 'sysroot/ostree/repo'

/** An ostree commit as layers, the form that `ostree container encapsulate` writes. */
export interface Encapsulated {
  readonly commit: Checksum
  readonly repository: Repository
  /** The first with the commit, all its metadata and every other file object, the second with the rest. */
  readonly layers: readonly [LayerFile[], LayerFile[]]
}

export async function encapsulate(tree: FileTree, form: XattrsForm = 'file'): Promise<Encapsulated> {
  const repository = createRepository({ runtime: nodeRuntime })
  const commit = await commitTree(repository, tree, { runtime: nodeRuntime, timestamp: 5, subject: 'base' })
  const metadata = (type: 'commit' | 'dirtree' | 'dirmeta'): LayerFile[] =>
    [...repository.objects()]
      .filter((object) => object.type === type)
      .map(({ checksum }) => ({
        path: pathOf(checksum, type),
        type: 'file',
        data: repository.metadata(checksum, type) as Uint8Array,
      }))
  const files = [...repository.objects()].flatMap(({ checksum, type }) => (type === 'file' ? [checksum] : []))
  const layers: [LayerFile[], LayerFile[]] = [
    [
      { path: 'usr', type: 'directory' },
      { path: `${REPOSITORY}/objects`, type: 'directory' },
      { path: `${REPOSITORY}/config`, type: 'file', data: '[core]\n' },
      ...metadata('commit'),
      ...metadata('dirmeta'),
      ...metadata('dirtree'),
    ],
    [],
  ]
  const written = [new Set<string>(), new Set<string>()] as const
  for (const [index, checksum] of files.entries()) {
    layers[(index % 2) as 0 | 1].push(
      ...(await fileObject(repository, checksum, form, written[(index % 2) as 0 | 1])),
    )
  }
  return { commit, repository, layers }
}

function pathOf(checksum: Checksum, type: 'file' | 'commit' | 'dirtree' | 'dirmeta'): string {
  return `${REPOSITORY}/objects/${objectPath(checksum, type)}`
}

/** A file object with its extended attributes before it, and a name of the tree behind it, as exported. */
async function fileObject(
  repository: Repository,
  checksum: Checksum,
  form: XattrsForm,
  written: Set<string>,
): Promise<LayerFile[]> {
  const inode = repository.file(checksum) as NonNullable<ReturnType<Repository['file']>>
  const { uid, gid, mode } = inode
  const path = pathOf(checksum, 'file')
  const xattrs = encodeXattrs(inode.xattrs)
  const digest = toHex(nodeRuntime.createHash('sha256').update(xattrs).digest())
  const blob =
    form === 'v0'
      ? `${REPOSITORY}/xattrs/${digest}`
      : `${path.slice(0, -70)}${digest.slice(0, 2)}/${digest.slice(2)}.file-xattrs`
  const attributes: LayerFile[] =
    form === 'file'
      ? [{ path: `${path}-xattrs-link`, type: 'file', data: xattrs }]
      : [
          ...(written.has(blob) ? [] : [{ path: blob, type: 'file', data: xattrs } as const]),
          {
            path: form === 'v0' ? `${path}.xattrs` : `${path}-xattrs-link`,
            type: 'hardlink',
            linkName: blob,
          },
        ]
  written.add(blob)
  const name: LayerFile = { path: `usr/${checksum}`, type: 'hardlink', linkName: path }
  if (inode.type === 'symlink') {
    return [...attributes, { path, type: 'symlink', linkName: inode.target, uid, gid, mode }, name]
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of streamSource(inode.content)) chunks.push(chunk)
  return [...attributes, { path, type: 'file', uid, gid, mode, data: concatBytes(chunks) }, name]
}
