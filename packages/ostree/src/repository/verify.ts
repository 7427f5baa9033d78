import {
  FormatError,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
  toHex,
} from '@bootable/bytes'
import { type Checksum, type ObjectType, objectPath } from '../object/checksum.ts'
import { decodeCommit } from '../object/commit.ts'
import { decodeDirmeta } from '../object/dirmeta.ts'
import { decodeDirtree } from '../object/dirtree.ts'
import type { FileInode } from '../object/file.ts'
import { decodeCommitmeta } from '../object/metadata.ts'
import { checksumFiles } from './checksum-files.ts'
import type { ObjectName, Repository } from './repository.ts'

/** Something wrong in a repository. */
export interface RepositoryFinding {
  readonly problem: 'checksum' | 'malformed' | 'missing'
  /** The object, or the one that is missing. */
  readonly object: ObjectName
  /** In words, with the numbers. */
  readonly message: string
}

/** What {@link verifyRepository} found. */
export interface RepositoryReport {
  readonly objects: number
  /** Bytes of the contents of file objects, each read once. */
  readonly bytes: number
  readonly findings: readonly RepositoryFinding[]
}

/**
 * What `ostree fsck` does: computes every checksum anew, decodes every metadata object, and asks whether
 * all that trees, commits and refs name is there. A parent commit may be missing: history may be cut.
 *
 * @throws FormatError only from the filesystem underneath; bad objects are findings
 */
export async function verifyRepository(
  repository: Repository,
  options: OperationOptions & RuntimeOptions = {},
): Promise<RepositoryReport> {
  const { runtime = portableRuntime } = options
  const findings: RepositoryFinding[] = []
  const objects = [...repository.objects()]
  const names = new Set(objects.map(({ checksum, type }) => objectPath(checksum, type)))
  const files = new Map<Checksum, FileInode>()

  function report(problem: RepositoryFinding['problem'], object: ObjectName, message: string): void {
    findings.push({ problem, object, message })
  }
  function compare(object: ObjectName, actual: Checksum): void {
    const { checksum, type } = object
    if (actual !== checksum) report('checksum', object, `the ${type} object ${checksum} hashes to ${actual}`)
  }

  for (const object of objects) {
    const { checksum, type } = object
    if (type === 'file') {
      files.set(checksum, repository.file(checksum) as FileInode)
      continue
    }
    const bytes = repository.metadata(checksum, type) as Uint8Array
    if (type !== 'commitmeta') compare(object, toHex(runtime.createHash('sha256').update(bytes).digest()))
    try {
      for (const named of namedBy(type, checksum, bytes)) {
        if (names.has(objectPath(named.checksum, named.type))) continue
        const message = `the ${type} object ${checksum} names the ${named.type} ${named.checksum}, which is missing`
        report('missing', named, message)
      }
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      report('malformed', object, `${objectPath(checksum, type)}: ${error.message}`)
    }
  }
  for (const [ref, checksum] of repository.refs) {
    if (repository.metadata(checksum, 'commit')) continue
    report(
      'missing',
      { checksum, type: 'commit' },
      `the ref ${ref} names the commit ${checksum}, which is missing`,
    )
  }

  const checksums = await checksumFiles(files.values(), options)
  let bytes = 0
  for (const [checksum, inode] of files) {
    compare({ checksum, type: 'file' }, checksums.get(inode) as Checksum)
    if (inode.type === 'file') bytes += inode.content.size
  }
  return { objects: objects.length, bytes, findings }
}

/** The objects that a metadata object needs. @throws FormatError */
function namedBy(type: Exclude<ObjectType, 'file'>, checksum: Checksum, bytes: Uint8Array): ObjectName[] {
  if (type === 'dirmeta') decodeDirmeta(bytes)
  if (type === 'commitmeta') {
    decodeCommitmeta(bytes)
    return [{ checksum, type: 'commit' }]
  }
  if (type === 'commit') {
    const { tree, meta } = decodeCommit(bytes)
    return [
      { checksum: tree, type: 'dirtree' },
      { checksum: meta, type: 'dirmeta' },
    ]
  }
  if (type !== 'dirtree') return []
  const { files, directories } = decodeDirtree(bytes)
  return [
    ...[...files.values()].map((file) => ({ checksum: file, type: 'file' }) as const),
    ...[...directories.values()].flatMap(
      ({ tree, meta }) =>
        [
          { checksum: tree, type: 'dirtree' },
          { checksum: meta, type: 'dirmeta' },
        ] as const,
    ),
  ]
}
