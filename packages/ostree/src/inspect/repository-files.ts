import {
  decodeUtf8,
  FormatError,
  portableRuntime,
  type RuntimeOptions,
  readAll,
  toHex,
} from '@bootable/bytes'
import { type Digest, isDigest } from '@bootable/oci'
import { type Directory, type FileTree, findDirectory, lookup, sortedEntries } from '@bootable/tree'
import { type Checksum, isChecksum, objectPath } from '../object/checksum.ts'
import { type Commit, decodeCommit } from '../object/commit.ts'
import { MAX_METADATA_SIZE } from '../repository/repository.ts'

// Single files of a repository. `openRepository` reads all metadata objects, which takes longer than looking
// at a machine should, and fails as a whole where one object is damaged.

const OBJECTS = 'ostree/repo/objects'
const BLOB_REFS = 'ostree/repo/refs/heads/ostree/container/blob'

/**
 * Reads and verifies a commit.
 * @throws FormatError where it is missing, damaged, or has another checksum
 */
export async function readCommit(
  sysroot: FileTree,
  checksum: Checksum,
  { runtime = portableRuntime }: RuntimeOptions,
): Promise<Commit> {
  const file = lookup(sysroot, `${OBJECTS}/${objectPath(checksum, 'commit')}`)
  const format = { format: 'ostree', structure: `commit ${checksum}` }
  if (file?.type !== 'file') throw new FormatError('FORMAT_INVALID', format, 'it is not in the repository')
  const bytes = await readAll(file.content, MAX_METADATA_SIZE)
  const actual = toHex(runtime.createHash('sha256').update(bytes).digest())
  if (actual === checksum) return decodeCommit(bytes)
  throw new FormatError(
    'FORMAT_CHECKSUM',
    { ...format, expected: checksum, actual },
    `it hashes to ${actual}`,
  )
}

/** Layers whose ref leads to a commit that is there: what a container import takes for fetched. */
export async function readStoredLayers(sysroot: FileTree): Promise<Digest[]> {
  const directory = findDirectory(sysroot, BLOB_REFS)
  if (!directory) return []
  const stored = await Promise.all(
    sortedEntries(directory).map(async ([name]) => {
      // Of what a digest holds, the names of refs escape its colon only.
      const digest = name.replace('_3A_', ':')
      return isDigest(digest) && (await hasCommit(sysroot, directory, name)) ? [digest] : []
    }),
  )
  return stored.flat()
}

async function hasCommit(sysroot: FileTree, directory: Directory, name: string): Promise<boolean> {
  const file = directory.entries.get(name)
  if (file?.type !== 'file' || file.content.size > 100) return false
  const commit = decodeUtf8(await readAll(file.content))?.trimEnd() ?? ''
  return isChecksum(commit) && lookup(sysroot, `${OBJECTS}/${objectPath(commit, 'commit')}`)?.type === 'file'
}
