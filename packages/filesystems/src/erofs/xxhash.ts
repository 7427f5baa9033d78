const PRIME1 = 0x9e37_79b1
const PRIME2 = 0x85eb_ca77
const PRIME3 = 0xc2b2_ae3d
const PRIME4 = 0x27d4_eb2f
const PRIME5 = 0x1656_67b1

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function round(accumulator: number, lane: number): number {
  return Math.imul(rotate((accumulator + Math.imul(lane, PRIME2)) | 0, 13), PRIME1)
}

/** XXH32 (xxHash fast digest algorithm, version 0.1.1). */
export function xxh32(data: Uint8Array, seed: number): number {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  let at = 0
  let hash = (seed + PRIME5) | 0
  if (data.length >= 16) {
    let [a, b, c, d] = [(seed + PRIME1 + PRIME2) | 0, (seed + PRIME2) | 0, seed | 0, (seed - PRIME1) | 0]
    for (; at + 16 <= data.length; at += 16) {
      a = round(a, view.getUint32(at, true))
      b = round(b, view.getUint32(at + 4, true))
      c = round(c, view.getUint32(at + 8, true))
      d = round(d, view.getUint32(at + 12, true))
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
  }
  hash = (hash + data.length) | 0
  for (; at + 4 <= data.length; at += 4) {
    hash = Math.imul(rotate((hash + Math.imul(view.getUint32(at, true), PRIME3)) | 0, 17), PRIME4)
  }
  for (; at < data.length; at++) {
    hash = Math.imul(rotate((hash + Math.imul(data[at] as number, PRIME5)) | 0, 11), PRIME1)
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME2)
  hash = Math.imul(hash ^ (hash >>> 13), PRIME3)
  return (hash ^ (hash >>> 16)) >>> 0
}
