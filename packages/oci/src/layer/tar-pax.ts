import { concatBytes, decodeUtf8, FormatError, utf8 } from '@bootable/bytes'
import type { Timestamp } from '@bootable/tree'
import { fromBase64 } from './base64.ts'

/** What every key of an extended attribute starts with: star's way, which all container tools write. */
export const SCHILY_XATTR = 'SCHILY.xattr.'
/** libarchive's way: the name percent-encoded, the value in base64. */
export const LIBARCHIVE_XATTR = 'LIBARCHIVE.xattr.'

/**
 * The records of a PAX extended header, in the order in which they stood. Values are bytes: they may hold
 * newlines, `=` and NUL. A key may come twice (GNU sparse format 0.0 lists its map that way).
 */
export type PaxRecords = readonly (readonly [key: string, value: Uint8Array])[]

function malformed(offset: number, message: string): FormatError {
  return new FormatError(
    'FORMAT_INVALID',
    { format: 'tar', structure: 'PAX extended header', offset },
    message,
  )
}

/**
 * Reads the records of an extended header: `"%d %s=%s\n"` each, the number counting the whole record
 * (POSIX.1-2017, pax, "pax Extended Header").
 *
 * A broken record is an error and never skipped: readers that skipped one went on at another place than
 * the others did (CVE-2025-62518). Keys that are not UTF-8 are a vendor's business and left out.
 *
 * @param at offset of `data` in the archive, for errors
 * @throws FormatError
 */
export function parsePaxRecords(data: Uint8Array, at: number): PaxRecords {
  const records: [string, Uint8Array][] = []
  for (let start = 0; start < data.length; ) {
    let length = 0
    let position = start
    for (; position < data.length && data[position] !== 0x20; position++) {
      const digit = (data[position] as number) - 0x30
      length = length * 10 + digit
      if (digit < 0 || digit > 9 || length > data.length) {
        throw malformed(at + position, 'a record does not start with its length')
      }
    }
    const end = start + length
    if (end > data.length) throw malformed(at + start, `a record of ${length} bytes passes the end`)
    if (end <= position + 1 || data[end - 1] !== 0x0a) {
      throw malformed(at + start, `a record of ${length} bytes does not end in a newline`)
    }
    const equals = data.indexOf(0x3d, position + 1)
    if (equals <= position + 1 || equals >= end) throw malformed(at + start, 'a record without a key')
    const key = decodeUtf8(data.subarray(position + 1, equals))
    if (key !== undefined) records.push([key, data.slice(equals + 1, end - 1)])
    start = end
  }
  return records
}

/** Records as bytes, ready to stand in an extended header. */
export function encodePaxRecords(records: PaxRecords): Uint8Array {
  return concatBytes(
    records.flatMap(([key, value]) => {
      const text = utf8(` ${key}=`)
      const rest = text.length + value.length + 1
      // The length counts its own digits; one more digit can ask for one more digit.
      let length = rest + String(rest).length
      length = rest + String(length).length
      return [utf8(String(length)), text, value, utf8('\n')]
    }),
  )
}

function ascii(value: Uint8Array): string {
  return String.fromCharCode(...value.subarray(0, 64))
}

/** A non-negative decimal number. @throws FormatError */
export function paxNumber(key: string, value: Uint8Array, at: number): number {
  const text = ascii(value)
  const number = Number(text)
  if (!/^\d+$/.test(text) || value.length > 64 || !Number.isSafeInteger(number)) {
    throw malformed(at, `${key}: not a number: ${JSON.stringify(text)}`)
  }
  return number
}

/** A time in seconds, negative before 1970, with a fraction of any length. @throws FormatError */
export function paxTime(key: string, value: Uint8Array, at: number): Timestamp {
  const text = ascii(value)
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text)
  if (!match || value.length > 64) throw malformed(at, `${key}: not a time: ${JSON.stringify(text)}`)
  const seconds = Number(match[2])
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'))
  if (match[1] === '') return { seconds, nanoseconds }
  // −1.25 is three quarters after −2.
  if (nanoseconds === 0) return { seconds: seconds === 0 ? 0 : -seconds, nanoseconds }
  return { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds }
}

/** The text of a time, as short as it can be: `1700000000`, `-1.75`. */
export function formatPaxTime({ seconds, nanoseconds }: Timestamp): string {
  if (nanoseconds === 0) return String(seconds)
  const negative = seconds < 0
  const whole = negative ? -seconds - 1 : seconds
  const fraction = negative ? 1_000_000_000 - nanoseconds : nanoseconds
  return `${negative ? '-' : ''}${whole}.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`
}

/** The extended attribute in a record, `undefined` for records of another kind. @throws FormatError */
export function paxXattr(
  key: string,
  value: Uint8Array,
  at: number,
): { name: string; value: Uint8Array } | undefined {
  if (key.startsWith(SCHILY_XATTR)) return { name: key.slice(SCHILY_XATTR.length), value }
  if (!key.startsWith(LIBARCHIVE_XATTR)) return undefined
  try {
    return {
      name: decodeURIComponent(key.slice(LIBARCHIVE_XATTR.length)),
      value: fromBase64(decodeUtf8(value) ?? '?'),
    }
  } catch {
    throw malformed(at, `${key}: not a percent-encoded name with a value in base64`)
  }
}
