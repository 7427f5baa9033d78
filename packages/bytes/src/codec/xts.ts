/** Whether a cipher makes secrets or takes them apart. */
export type CipherDirection = 'encrypt' | 'decrypt'

/** AES over whole blocks of 16 bytes, each by itself (ECB, NIST SP 800-38A). The key has 16 or 32 bytes. */
export type BlockCipher = (key: Uint8Array, direction: CipherDirection, data: Uint8Array) => Uint8Array

const BLOCK = 16
/** Sectors are numbered in these, whatever their own length: `plain64` of dm-crypt. */
const SECTOR_UNIT = 512

/**
 * XTS-AES (IEEE 1619-2018) over whole sectors, made of the plain block cipher: the mode itself costs a few
 * operations a word, while a call of a native library for every sector of 512 bytes costs more than the
 * encryption.
 *
 * @param key both keys, data first: 32 bytes for AES-128, 64 for AES-256
 * @param sectorSize bytes of a data unit, a multiple of 16
 * @param firstSector number of the first one in units of 512 bytes; the next is `sectorSize / 512` further
 * @throws RangeError where `data` is not whole sectors
 */
export function xts(
  cipher: BlockCipher,
  key: Uint8Array,
  direction: CipherDirection,
  sectorSize: number,
  firstSector: number,
  data: Uint8Array,
): Uint8Array {
  const sectors = data.length / sectorSize
  if (!Number.isInteger(sectors)) {
    throw new RangeError(`${data.length} bytes are not whole sectors of ${sectorSize}`)
  }
  const half = key.length / 2
  const initial = sectorTweaks(sectors, firstSector, sectorSize / SECTOR_UNIT)
  const tweaks = multiplyTweaks(words(cipher(key.subarray(half), 'encrypt', initial)), sectorSize)

  // A copy, since the result is one anyway and the views below want it aligned.
  const mixed = words(data.slice())
  combine(mixed, tweaks)
  const result = words(cipher(key.subarray(0, half), direction, bytesOf(mixed)))
  combine(result, tweaks)
  return bytesOf(result)
}

/** The sectors' numbers as blocks, little-endian. */
function sectorTweaks(count: number, first: number, step: number): Uint8Array {
  const tweaks = new Uint8Array(count * BLOCK)
  const view = new DataView(tweaks.buffer)
  for (let index = 0; index < count; index++) {
    const sector = first + index * step
    view.setUint32(index * BLOCK, sector % 2 ** 32, true)
    view.setUint32(index * BLOCK + 4, Math.floor(sector / 2 ** 32), true)
  }
  return tweaks
}

/** The tweak of every block: that of the one before times x in GF(2^128) (IEEE 1619-2018, 5.2). */
function multiplyTweaks(initial: Int32Array, sectorSize: number): Int32Array {
  const perSector = sectorSize / BLOCK
  const tweaks = new Int32Array(initial.length * perSector)
  let at = 0
  for (let index = 0; index < initial.length; index += 4) {
    let a = initial[index] as number
    let b = initial[index + 1] as number
    let c = initial[index + 2] as number
    let d = initial[index + 3] as number
    for (let block = 0; block < perSector; block++) {
      tweaks[at] = a
      tweaks[at + 1] = b
      tweaks[at + 2] = c
      tweaks[at + 3] = d
      at += 4
      const carry = d >> 31
      d = (d << 1) | (c >>> 31)
      c = (c << 1) | (b >>> 31)
      b = (b << 1) | (a >>> 31)
      a = (a << 1) ^ (carry & 0x87)
    }
  }
  return tweaks
}

function combine(target: Int32Array, other: Int32Array): void {
  for (let index = 0; index < target.length; index++) {
    target[index] = (target[index] as number) ^ (other[index] as number)
  }
}

/**
 * 32 bits at a time, in the order of the machine: every platform with typed arrays in use is
 * little-endian, which {@link multiplyTweaks} counts on.
 */
function words(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4)
}

function bytesOf(view: Int32Array): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}
