/** `xfs_da_hashname`: the hash by which directories and attributes find the first `length` bytes. */
export function hashName(name: Uint8Array, length = name.length): number {
  let hash = 0
  let at = 0
  for (; length - at >= 4; at += 4) {
    hash =
      (byte(name, at) << 21) ^
      (byte(name, at + 1) << 14) ^
      (byte(name, at + 2) << 7) ^
      byte(name, at + 3) ^
      rotate(hash, 28)
  }
  switch (length - at) {
    case 3:
      hash = (byte(name, at) << 14) ^ (byte(name, at + 1) << 7) ^ byte(name, at + 2) ^ rotate(hash, 21)
      break
    case 2:
      hash = (byte(name, at) << 7) ^ byte(name, at + 1) ^ rotate(hash, 14)
      break
    case 1:
      hash = byte(name, at) ^ rotate(hash, 7)
  }
  return hash >>> 0
}

function byte(name: Uint8Array, at: number): number {
  return name[at] as number
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
