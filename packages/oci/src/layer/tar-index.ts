import type { ByteSource, OperationOptions } from '@bootable/bytes'
import { KiB } from '@bootable/bytes'
import type { LayerLimits } from './limits.ts'
import type { TarMember } from './tar-format.ts'
import { createTarParser } from './tar-parser.ts'

/** Options of {@link indexTar}. */
export interface IndexTarOptions extends OperationOptions {
  readonly limits?: LayerLimits
}

/** Read at each header: many small members come with one read, the body of a large one is hopped over. */
const WINDOW = 64 * KiB

/**
 * The members of an archive that can be read anywhere, without reading their contents. Contents are
 * `sliceSource(source, member.offset, member.size)`, see {@link memberContent}.
 *
 * @throws FormatError when it is no tar archive or was cut; BootableError `LIMIT_EXCEEDED`
 */
export async function indexTar(source: ByteSource, options: IndexTarOptions = {}): Promise<TarMember[]> {
  const { signal, limits = {} } = options
  const members: TarMember[] = []
  const parser = createTarParser({ onMember: (member) => members.push(member), limits })
  const window = new Uint8Array(WINDOW)
  for (let position = 0; position < source.size && !parser.ended; ) {
    signal?.throwIfAborted()
    const chunk = window.subarray(0, Math.min(WINDOW, source.size - position))
    await source.read(position, chunk)
    parser.push(chunk)
    position += chunk.length
    const hop = Math.min(parser.ahead, source.size - position)
    parser.skip(hop)
    position += hop
  }
  parser.end()
  return members
}
