import { BootableError, compareBytewise, portableRuntime, type RuntimeOptions, toHex } from '@bootable/bytes'
import { EPOCH } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'
import { type Checksum, type ObjectType, objectPath } from '../object/checksum.ts'
import type { FileInode } from '../object/file.ts'
import { keptXattrs } from '../object/xattrs.ts'

/** The kinds of objects that are named by the digest of their bytes. */
export type MetadataType = 'dirtree' | 'dirmeta' | 'commit'

/** One object of a repository. */
export interface ObjectName {
  readonly checksum: Checksum
  readonly type: ObjectType
}

/**
 * An ostree repository in memory. Its file objects are inodes of trees: whoever shows an object puts that
 * very inode under a name, and so the object and all its names are hard links once they are written.
 * Nobody edits them.
 */
export interface Repository {
  /** Names of commits: `heads/` left out, refs of remotes written as `remote:name`. */
  readonly refs: Map<string, Checksum>
  /**
   * THE inode of a file object, shared by everybody who shows it; mode, owner and extended attributes are
   * those that its checksum covers, its time is 0.
   */
  file(checksum: Checksum): FileInode | undefined
  /** The object that an inode of this repository is; `undefined` for inodes from elsewhere. */
  checksum(inode: FileInode): Checksum | undefined
  /** The bytes of a metadata object. They are not to be changed. */
  metadata(checksum: Checksum, type: Exclude<ObjectType, 'file'>): Uint8Array | undefined
  /**
   * Adds a metadata object under the SHA-256 of its bytes.
   * @throws BootableError `OSTREE_OBJECT_TOO_LARGE` above 128 MiB, which no ostree reads
   */
  addMetadata(type: MetadataType, bytes: Uint8Array): Checksum
  /** Sets the detached metadata of a commit (`a{sv}`, see `encodeCommitmeta`). */
  setDetachedMetadata(commit: Checksum, bytes: Uint8Array): void
  /**
   * Adds a file object whose checksum the caller computed. The first one under a checksum stays.
   * @returns the object's inode, which is never the one given unless that is an object's already
   */
  addFile(inode: FileInode, checksum: Checksum): FileInode
  /** All objects, sorted by checksum, then by type. */
  objects(): Iterable<ObjectName>
}

/** `OSTREE_MAX_METADATA_SIZE`. */
export const MAX_METADATA_SIZE = 128 * 1024 ** 2

/** An empty repository. */
export function createRepository(options: RuntimeOptions = {}): Repository {
  return assembleRepository({ files: new Map(), metadata: new Map(), refs: new Map() }, options)
}

/** What a repository consists of. */
export interface RepositoryContents {
  readonly files: Map<Checksum, FileInode>
  /** By {@link objectPath}. */
  readonly metadata: Map<string, Uint8Array>
  readonly refs: Map<string, Checksum>
}

/** A repository of objects that are there already, as a reader finds them. */
export function assembleRepository(contents: RepositoryContents, options: RuntimeOptions): Repository {
  const { files, metadata, refs } = contents
  const { runtime = portableRuntime } = options
  const checksums = new WeakMap<FileInode, Checksum>()
  for (const [checksum, inode] of files) checksums.set(inode, checksum)

  return {
    refs,
    file: (checksum) => files.get(checksum),
    checksum: (inode) => checksums.get(inode),
    metadata: (checksum, type) => metadata.get(objectPath(checksum, type)),
    addMetadata(type, bytes) {
      checkSize(type, bytes)
      const checksum = toHex(runtime.createHash('sha256').update(bytes).digest())
      metadata.set(objectPath(checksum, type), bytes)
      return checksum
    },
    setDetachedMetadata(commit, bytes) {
      checkSize('commitmeta', bytes)
      metadata.set(objectPath(commit, 'commitmeta'), bytes)
    },
    addFile(inode, checksum) {
      const known = files.get(checksum)
      if (known) return known
      const object: FileInode = { ...inode, mtime: EPOCH, xattrs: keptXattrs(inode.xattrs) }
      if (object.type === 'symlink') object.mode = 0o777
      files.set(checksum, object)
      checksums.set(object, checksum)
      return object
    },
    *objects() {
      const paths = [...metadata.keys()]
      for (const checksum of files.keys()) paths.push(objectPath(checksum, 'file'))
      for (const path of paths.sort(compareBytewise)) {
        const [, rest, type] = path.split(/[/.]/) as [string, string, ObjectType]
        yield { checksum: `${path.slice(0, 2)}${rest}`, type }
      }
    },
  }
}

function checkSize(type: ObjectType, bytes: Uint8Array): void {
  if (bytes.length <= MAX_METADATA_SIZE) return
  throw new BootableError<OstreeErrorCode>(
    'OSTREE_OBJECT_TOO_LARGE',
    `a ${type} object of ${bytes.length} bytes is above the ${MAX_METADATA_SIZE} that ostree reads`,
    { details: { type, size: bytes.length, limit: MAX_METADATA_SIZE } },
  )
}
