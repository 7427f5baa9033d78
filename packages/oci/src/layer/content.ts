import { type ByteSource, sliceSource, sparseSource } from '@bootable/bytes'
import type { TarMember } from './tar-format.ts'

/** The content of a file in an archive: a window of it, or several for a sparse file. Nothing is read. */
export function memberContent(archive: ByteSource, member: TarMember): ByteSource {
  if (!member.sparse) return sliceSource(archive, member.offset, member.size)
  return sparseSource(
    member.size,
    member.sparse.map(({ offset, length, position }) => ({
      offset,
      length,
      source: archive,
      sourceOffset: position,
    })),
  )
}
