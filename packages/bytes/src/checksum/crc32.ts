import { crcTables, updateCrc } from './crc.ts'

const POLYNOMIAL = 0xedb8_8320
const TABLES = crcTables(POLYNOMIAL)

/**
 * CRC-32 of IEEE 802.3, as in GPT, gzip and PNG. Check value of `123456789`: cbf43926.
 * @param crc result for the bytes before, when a checksum is made in pieces
 */
export function crc32(data: Uint8Array, crc = 0): number {
  return ~updateCrc(TABLES, ~crc, data, 0, data.length) >>> 0
}

/**
 * The CRC-32 of two pieces in a row, from theirs.
 * @param length bytes of the second piece
 */
export function crc32Combine(first: number, second: number, length: number): number {
  return (multiply(powerOfX(length * 8), first) ^ second) >>> 0
}

/** The polynomial 1; the most significant bit stands for x to the power of 0. */
const ONE = 0x8000_0000

/** The product of two polynomials modulo that of CRC-32. */
function multiply(a: number, b: number): number {
  let product = 0
  let factor = b
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= factor
    factor = factor & 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1
  }
  return product >>> 0
}

/** x to the power of `exponent`, by squaring. Blocks are of one size: the last result is kept. */
function powerOfX(exponent: number): number {
  if (exponent === knownPower.exponent) return knownPower.value
  let value = ONE
  let square = ONE >>> 1
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) value = multiply(square, value)
    square = multiply(square, square)
  }
  knownPower = { exponent, value }
  return value
}

let knownPower = { exponent: 0, value: ONE }
