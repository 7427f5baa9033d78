import { type ByteSource, FormatError } from '@bootable/bytes'
import { listTarFiles } from '../tar/members.ts'
import { MEMBER } from './format.ts'

/**
 * The disk in an archive for Compute Engine, sparse or not, where it lies.
 *
 * @param archive the tar as it was before it was compressed: gzip cannot be read in the middle
 * @throws FormatError for an archive without `disk.raw`
 */
export async function readGce(archive: ByteSource): Promise<ByteSource> {
  const files = await listTarFiles(archive)
  const disk = files.find(({ name }) => name.replace(/^\.\//, '') === MEMBER)
  if (disk) return disk.content
  const actual = files.map(({ name }) => name).slice(0, 10)
  throw new FormatError(
    'FORMAT_INVALID',
    { format: 'gce', structure: 'archive', expected: MEMBER, actual },
    `no member ${MEMBER}`,
  )
}
