import { BootableError, decodeUtf8, utf8 } from '@bootable/bytes'
import type { OstreeErrorCode } from '../errors.ts'
import { type Codec, malformed } from './codec.ts'

/** `s`: UTF-8 with a zero byte behind it. */
export const string: Codec<string> = {
  type: 's',
  alignment: 1,
  encode(text) {
    // TextEncoder would make U+FFFD of half a surrogate pair.
    if (/[\0\p{Surrogate}]/u.test(text)) {
      throw new BootableError<OstreeErrorCode>(
        'OSTREE_INVALID_TEXT',
        `${JSON.stringify(text.slice(0, 80))} cannot be stored as text`,
        { details: { text } },
      )
    }
    return utf8(`${text}\0`)
  },
  decode(bytes, offset) {
    const end = bytes.indexOf(0)
    if (end < 0 || end !== bytes.length - 1)
      throw malformed('s', offset, 'no zero byte ends the text, or one too early')
    const text = decodeUtf8(bytes.subarray(0, end))
    if (text === undefined) throw malformed('s', offset, 'the text is not valid UTF-8')
    return text
  },
}

/** `ay`: the bytes as they are. Decoded ones are a view. */
export const bytes: Codec<Uint8Array> = {
  type: 'ay',
  alignment: 1,
  encode: (value) => value,
  decode: (value) => value,
}

/** `b`: one byte, 0 or 1. */
export const boolean: Codec<boolean> = {
  type: 'b',
  alignment: 1,
  size: 1,
  encode: (value) => Uint8Array.of(value ? 1 : 0),
  decode(value, offset) {
    if (value.length !== 1 || (value[0] as number) > 1) throw malformed('b', offset, 'neither 0 nor 1')
    return value[0] === 1
  },
}

/** `u`, little-endian as GVariant has it. */
export const uint32: Codec<number> = unsigned32(true)

/** `u` with its bytes swapped: ostree keeps owners and modes in network order. */
export const uint32be: Codec<number> = unsigned32(false)

/** `t`, little-endian. Values above 2^53 are refused. */
export const uint64: Codec<number> = unsigned64(true)

/** `t` with its bytes swapped: the time of a commit. Values above 2^53 are refused. */
export const uint64be: Codec<number> = unsigned64(false)

function unsigned32(littleEndian: boolean): Codec<number> {
  return {
    type: 'u',
    alignment: 4,
    size: 4,
    encode(value) {
      const encoded = new Uint8Array(4)
      new DataView(encoded.buffer).setUint32(0, value, littleEndian)
      return encoded
    },
    decode(value, offset) {
      if (value.length !== 4) throw malformed('u', offset, `${value.length} bytes instead of 4`)
      return viewOf(value).getUint32(0, littleEndian)
    },
  }
}

function unsigned64(littleEndian: boolean): Codec<number> {
  return {
    type: 't',
    alignment: 8,
    size: 8,
    encode(value) {
      const encoded = new Uint8Array(8)
      new DataView(encoded.buffer).setBigUint64(0, BigInt(value), littleEndian)
      return encoded
    },
    decode(value, offset) {
      if (value.length !== 8) throw malformed('t', offset, `${value.length} bytes instead of 8`)
      const number = Number(viewOf(value).getBigUint64(0, littleEndian))
      if (!Number.isSafeInteger(number)) throw malformed('t', offset, `${number} is above 2^53`)
      return number
    },
  }
}

function viewOf(value: Uint8Array): DataView {
  return new DataView(value.buffer, value.byteOffset, value.byteLength)
}
