import { concatBytes } from '@bootable/bytes'
import { NUM_BIT_MODEL_TOTAL_BITS, NUM_MOVE_BITS, TOP } from './model.ts'

/** Turns bits and their probabilities into bytes. */
export interface RangeEncoder {
  bit(probs: Uint16Array, index: number, bit: number): void
  /** The low `bits` bits of `symbol`, highest first, in a tree of probabilities that begins at `base`. */
  tree(probs: Uint16Array, base: number, bits: number, symbol: number): void
  /** The same, lowest bit first. */
  reverseTree(probs: Uint16Array, base: number, bits: number, symbol: number): void
  /** Bits that are as likely set as not, highest first. */
  direct(value: number, bits: number): void
  /** Ends the stream. */
  finish(): Uint8Array
}

const CHUNK = 65_536

/** LZMA specification, "range coder"; the carry is kept back until it is known, as in the LZMA SDK. */
export function createRangeEncoder(): RangeEncoder {
  const chunks: Uint8Array[] = []
  let chunk = new Uint8Array(CHUNK)
  let filled = 0
  let low = 0 // up to 33 bits: the highest is the carry
  let range = 0xffff_ffff
  let cache = 0
  let pending = 1

  const put = (byte: number): void => {
    if (filled === CHUNK) {
      chunks.push(chunk)
      chunk = new Uint8Array(CHUNK)
      filled = 0
    }
    chunk[filled++] = byte
  }
  const shiftLow = (): void => {
    const carry = low > 0xffff_ffff ? 1 : 0
    if (carry === 1 || low < 0xff00_0000) {
      put(cache + carry)
      for (; pending > 1; pending--) put(0xff + carry)
      pending = 0
      cache = (low >>> 24) & 0xff
    }
    pending++
    low = (low & 0x00ff_ffff) * 256
  }
  const normalize = (): void => {
    if (range >= TOP) return
    range = (range << 8) >>> 0
    shiftLow()
  }
  const bit = (probs: Uint16Array, index: number, value: number): void => {
    const probability = probs[index] as number
    const bound = (range >>> NUM_BIT_MODEL_TOTAL_BITS) * probability
    if (value === 0) {
      range = bound
      probs[index] = probability + (((1 << NUM_BIT_MODEL_TOTAL_BITS) - probability) >> NUM_MOVE_BITS)
    } else {
      low += bound
      range -= bound
      probs[index] = probability - (probability >> NUM_MOVE_BITS)
    }
    normalize()
  }

  return {
    bit,
    tree(probs, base, bits, symbol) {
      for (let node = 1, left = bits - 1; left >= 0; left--) {
        const value = (symbol >> left) & 1
        bit(probs, base + node, value)
        node = node * 2 + value
      }
    },
    reverseTree(probs, base, bits, symbol) {
      for (let node = 1, done = 0; done < bits; done++) {
        const value = (symbol >> done) & 1
        bit(probs, base + node, value)
        node = node * 2 + value
      }
    },
    direct(value, bits) {
      for (let left = bits - 1; left >= 0; left--) {
        range >>>= 1
        if ((value >>> left) & 1) low += range
        normalize()
      }
    },
    finish() {
      for (let count = 0; count < 5; count++) shiftLow()
      return concatBytes([...chunks, chunk.subarray(0, filled)])
    },
  }
}
