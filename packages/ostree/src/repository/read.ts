import {
  BootableError,
  type ByteSource,
  decodeUtf8,
  FormatError,
  gather,
  type OperationOptions,
  type RuntimeOptions,
} from '@bootable/bytes'
import {
  type Directory,
  type FileTree,
  findDirectory,
  findFile,
  type Inode,
  sortedEntries,
} from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import { type Checksum, invalidObject, isChecksum, parseObjectPath } from '../object/checksum.ts'
import type { FileInode } from '../object/file.ts'
import { readKeyFile } from '../sysroot/key-file.ts'
import { assembleRepository, MAX_METADATA_SIZE, type Repository } from './repository.ts'

/** Bytes of metadata of one repository: more is no repository of a machine. */
const MAX_TOTAL = 512 * 1024 ** 2

/** `PATH_MAX`: bounds how deep refs nest. */
const MAX_REF_PATH = 4096

/**
 * Opens the repository in a tree, say of a disk. Metadata objects are read, file objects are the inodes of
 * the tree. Nothing is verified: see `verifyRepository`.
 *
 * @param path such as `ostree/repo`
 * @throws BootableError `OSTREE_NO_REPOSITORY`, `OSTREE_UNSUPPORTED_MODE`, `LIMIT_EXCEEDED`
 * @throws FormatError when a ref or an object is not what its name says
 */
export async function openRepository(
  tree: FileTree,
  path: string,
  options: OperationOptions & RuntimeOptions = {},
): Promise<Repository> {
  const root = findDirectory(tree, path)
  const objects = root && findDirectory({ root }, 'objects')
  if (!root || !objects || !findFile({ root }, 'config')) {
    throw new BootableError<OstreeErrorCode>('OSTREE_NO_REPOSITORY', `/${path} is no ostree repository`, {
      details: { path },
    })
  }
  await checkMode(root, path)
  const files = new Map<Checksum, FileInode>()
  const sources = new Map<string, ByteSource>()
  for (const [name, inode] of listObjects(objects)) {
    const { checksum, type } = parseObjectPath(name) ?? {}
    // Other kinds of objects exist (tombstones, payload links); no tree is made of them.
    if (checksum === undefined || type === undefined) continue
    if (type === 'file' && (inode.type === 'file' || inode.type === 'symlink')) files.set(checksum, inode)
    else if (type !== 'file' && inode.type === 'file') sources.set(name, inode.content)
    else throw invalidObject(type, `objects/${name} is a ${inode.type}`)
  }
  const metadata = await readSources(sources, options.signal)
  return assembleRepository({ files, metadata, refs: await readRefs(root, options.signal) }, options)
}

async function checkMode(root: Directory, path: string): Promise<void> {
  const config = await readKeyFile({ root }, 'config')
  const mode = config?.get('core', 'mode') ?? 'bare'
  if (mode === 'bare') return
  throw new BootableError<OstreeErrorCode>(
    'OSTREE_UNSUPPORTED_MODE',
    `the repository /${path} is in mode ${mode}; that of a machine is in mode bare`,
    { details: { path, mode } },
  )
}

function* listObjects(objects: Directory): Generator<[name: string, inode: Inode]> {
  for (const [prefix, directory] of sortedEntries(objects)) {
    if (directory.type !== 'directory') continue
    for (const [name, inode] of directory.entries) yield [`${prefix}/${name}`, inode]
  }
}

/** Reads many small files at once. */
async function readSources(
  sources: ReadonlyMap<string, ByteSource>,
  signal: AbortSignal | undefined,
  limit = MAX_METADATA_SIZE,
): Promise<Map<string, Uint8Array>> {
  let total = 0
  for (const [name, { size }] of sources) {
    total += size
    if (size <= limit && total <= MAX_TOTAL) continue
    throw new BootableError('LIMIT_EXCEEDED', `${name} has ${size} bytes, ${total} with those before it`, {
      details: { name, size, total, limit, maxTotal: MAX_TOTAL },
    })
  }
  const bytes = new Map([...sources].map(([name, { size }]) => [name, new Uint8Array(size)]))
  signal?.throwIfAborted()
  await gather(
    [...sources].map(([name, source]) => ({ source, offset: 0, target: bytes.get(name) as Uint8Array })),
  )
  signal?.throwIfAborted()
  return bytes
}

/** `refs/heads/a/b` as `a/b`, `refs/remotes/r/a/b` as `r:a/b`; an alias is a symbolic link to another ref. */
async function readRefs(root: Directory, signal: AbortSignal | undefined): Promise<Map<string, Checksum>> {
  const sources = new Map<string, ByteSource>()
  const pending: { path: string; directory: Directory }[] = []
  for (const path of ['refs/heads', 'refs/remotes']) {
    const directory = findDirectory({ root }, path)
    if (directory) pending.push({ path, directory })
  }
  for (let next = pending.pop(); next; next = pending.pop()) {
    for (const [name, inode] of next.directory.entries) {
      const path = `${next.path}/${name}`
      if (path.length > MAX_REF_PATH) throw badRef(next.path, 'names nest too deep')
      if (inode.type === 'directory') pending.push({ path, directory: inode })
      const file = inode.type === 'symlink' ? findFile({ root }, path) : inode
      if (file?.type === 'file') sources.set(path, file.content)
    }
  }
  const refs = new Map<string, Checksum>()
  const contents = await readSources(sources, signal, 4096)
  for (const [path, bytes] of [...contents].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const commit = decodeUtf8(bytes)?.trimEnd() ?? ''
    if (!isChecksum(commit)) throw badRef(path, 'not the checksum of a commit')
    refs.set(refName(path), commit)
  }
  return refs
}

function refName(path: string): string {
  const [, kind, ...names] = path.split('/')
  return kind === 'heads' ? names.join('/') : `${names[0]}:${names.slice(1).join('/')}`
}

function badRef(path: string, message: string): FormatError {
  return new FormatError('FORMAT_INVALID', { format: 'ostree', structure: path }, message)
}
