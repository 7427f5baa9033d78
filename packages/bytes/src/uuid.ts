import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes } from './io/stream.ts'
import { toHex, utf8 } from './text.ts'

/** A uuid in its text form, lower case with dashes. */
export type Uuid = string

/**
 * `length` bytes that depend on nothing but a seed and a purpose, at most 32.
 *
 * The purpose names the use (`disk`, `filesystem:/boot`), so that one more use changes no other value.
 */
export function seededBytes(seed: string, purpose: string, length: number): Uint8Array {
  if (length > 32) throw new RangeError(`${length} bytes asked of a seed, 32 are there`)
  return sha256(concatBytes([utf8(seed), new Uint8Array(1), utf8(purpose)])).subarray(0, length)
}

/** A uuid that depends on nothing but a seed and a purpose (RFC 9562, marked version 4). */
export function seededUuid(seed: string, purpose: string): Uuid {
  const bytes = seededBytes(seed, purpose, 16).slice()
  // Version 4 and variant 10 (RFC 9562, 5.4): what tools that look at the bits expect of a disk's ids.
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return uuidFromBytes(bytes)
}

/** The 16 bytes of a uuid in network order (RFC 9562): filesystems. @throws RangeError */
export function uuidToBytes(uuid: Uuid): Uint8Array {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid)) throw new RangeError(`not a uuid: ${uuid}`)
  const digits = uuid.replaceAll('-', '')
  return Uint8Array.from({ length: 16 }, (_, index) =>
    Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16),
  )
}

/** The text form of 16 bytes in network order. */
export function uuidFromBytes(bytes: Uint8Array): Uuid {
  const digits = toHex(bytes.subarray(0, 16))
  return [8, 12, 16, 20, 32].map((end, index) => digits.slice([0, 8, 12, 16, 20][index], end)).join('-')
}

/** The 16 bytes of a GUID, its first three groups little-endian (UEFI 2.10, appendix A): GPT. */
export function guidToBytes(guid: Uuid): Uint8Array {
  return swapGroups(uuidToBytes(guid))
}

/** The text form of a GUID in its mixed-endian bytes, lower case. */
export function guidFromBytes(bytes: Uint8Array): Uuid {
  return uuidFromBytes(swapGroups(bytes))
}

function swapGroups(bytes: Uint8Array): Uint8Array {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
  return Uint8Array.from(order, (index) => bytes[index] as number)
}
