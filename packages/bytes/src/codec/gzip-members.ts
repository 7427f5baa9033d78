import { crc32 } from '../checksum/crc32.ts'
import { FormatError } from '../errors.ts'

const TRAILER = 8

/** Input kept: the trailer is asked for when the next header has been read, which is shorter than this. */
const TAIL = 4096

/**
 * Checks CRC32 and ISIZE of every member (RFC 1952, 2.3.1), which fflate does not: it tells where the next
 * member starts, and the trailer stands in the eight bytes before.
 */
export interface MemberCheck {
  input(chunk: Uint8Array): void
  output(chunk: Uint8Array): void
  /** The member that was read ends at this byte of the input. */
  end(position: number): void
  /** The input is over. */
  finish(): void
}

export function createMemberCheck(): MemberCheck {
  let tail = new Uint8Array(0)
  let consumed = 0
  let crc = 0
  let length = 0

  function check(position: number): void {
    const start = position - TRAILER - (consumed - tail.length)
    if (start < 0 || start + TRAILER > tail.length) {
      throw new FormatError(
        'FORMAT_TRUNCATED',
        { format: 'gzip', structure: 'member trailer', offset: position },
        'the stream ends early',
      )
    }
    const trailer = new DataView(tail.buffer, tail.byteOffset + start, TRAILER)
    const [expected, size] = [trailer.getUint32(0, true), trailer.getUint32(4, true)]
    if (expected !== crc || size !== length % 2 ** 32) {
      throw new FormatError(
        'FORMAT_CHECKSUM',
        { format: 'gzip', structure: 'CRC32', offset: position - TRAILER, expected, actual: crc },
        'the checksum of the data differs from the one stored',
      )
    }
    crc = 0
    length = 0
  }

  return {
    input(chunk) {
      const kept = Math.min(tail.length, TAIL)
      const joined = new Uint8Array(kept + chunk.length)
      joined.set(tail.subarray(tail.length - kept))
      joined.set(chunk, joined.length - chunk.length)
      tail = joined
      consumed += chunk.length
    },
    output(chunk) {
      crc = crc32(chunk, crc)
      length += chunk.length
    },
    end: check,
    finish: () => check(consumed),
  }
}
