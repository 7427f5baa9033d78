import { FormatError, type FormatErrorCode } from '@bootable/bytes'
import {
  createModel,
  END_POS_MODEL_INDEX,
  FIRST_MATCH_STATE,
  type LengthModel,
  lenToPosState,
  literalTree,
  MATCH_MIN_LEN,
  NUM_ALIGN_BITS,
  NUM_BIT_MODEL_TOTAL_BITS,
  NUM_MOVE_BITS,
  PB,
  POS_STATES,
  stateAfterLiteral,
  stateAfterMatch,
  stateAfterRep,
  stateAfterShortRep,
  TOP,
} from './model.ts'

/**
 * Decompresses a raw LZMA stream (lc=3, lp=0, pb=2) of data that is `size` bytes long; what follows in the
 * stream is not looked at. Takes memory for `size` bytes, so the caller sets the limit.
 * @throws FormatError
 */
export function decodeLzma(stream: Uint8Array, size: number): Uint8Array {
  const output = new Uint8Array(size)
  const model = createModel()
  const coder = createRangeDecoder(stream)
  const reps = [1, 1, 1, 1] as [number, number, number, number]
  let state = 0
  let position = 0

  const literal = (): number => {
    const tree = literalTree(position > 0 ? (output[position - 1] as number) : 0)
    let node = 1
    if (state >= FIRST_MATCH_STATE) {
      let matched = output[position - reps[0]] as number
      while (node < 0x100) {
        const matchBit = (matched >> 7) & 1
        matched <<= 1
        const bit = coder.bit(model.literal, tree + ((1 + matchBit) << 8) + node)
        node = node * 2 + bit
        if (bit !== matchBit) break
      }
    }
    while (node < 0x100) node = node * 2 + coder.bit(model.literal, tree + node)
    return node & 0xff
  }
  const length = ({ choice, low, mid, high }: LengthModel, posState: number): number => {
    if (coder.bit(choice, 0) === 0) return coder.tree(low, posState << 3, 3) + MATCH_MIN_LEN
    if (coder.bit(choice, 1) === 0) return coder.tree(mid, posState << 3, 3) + MATCH_MIN_LEN + 8
    return coder.tree(high, 0, 8) + MATCH_MIN_LEN + 16
  }
  const distance = (matched: number): number => {
    const slot = coder.tree(model.posSlot, lenToPosState(matched) << 6, 6)
    if (slot < 4) return slot + 1
    const footer = (slot >> 1) - 1
    const base = (2 | (slot & 1)) * 2 ** footer
    if (slot < END_POS_MODEL_INDEX) return base + coder.reverseTree(model.pos, base - slot, footer) + 1
    const high = coder.direct(footer - NUM_ALIGN_BITS) * (1 << NUM_ALIGN_BITS)
    return base + high + coder.reverseTree(model.align, 0, NUM_ALIGN_BITS) + 1
  }
  const repeatIndex = (): number => {
    if (coder.bit(model.isRepG0, state) === 0) return 0
    return coder.bit(model.isRepG1, state) === 0 ? 1 : 2 + coder.bit(model.isRepG2, state)
  }

  while (position < size) {
    const posState = position & (POS_STATES - 1)
    if (coder.bit(model.isMatch, (state << PB) + posState) === 0) {
      output[position] = literal()
      position++
      state = stateAfterLiteral(state)
      continue
    }
    let matched: number
    if (coder.bit(model.isRep, state) === 0) {
      matched = length(model.len, posState)
      reps.unshift(distance(matched))
      reps.length = 4
      state = stateAfterMatch(state)
    } else {
      const index = repeatIndex()
      const isShort = index === 0 && coder.bit(model.isRep0Long, (state << PB) + posState) === 0
      reps.unshift(...reps.splice(index, 1))
      matched = isShort ? 1 : length(model.repLen, posState)
      state = isShort ? stateAfterShortRep(state) : stateAfterRep(state)
    }
    if (reps[0] > position) {
      // The end marker is the farthest distance of all.
      throw lzmaError('FORMAT_INVALID', coder.position, `a match ${reps[0]} bytes before byte ${position}`)
    }
    if (position + matched > size) {
      const text = `a match of ${matched} bytes at byte ${position} of ${size}`
      throw lzmaError('FORMAT_INVALID', coder.position, text)
    }
    for (const end = position + matched; position < end; position++) {
      output[position] = output[position - reps[0]] as number
    }
  }
  return output
}

interface RangeDecoder {
  /** How many bytes of the stream were used. */
  readonly position: number
  bit(probs: Uint16Array, index: number): number
  tree(probs: Uint16Array, base: number, bits: number): number
  reverseTree(probs: Uint16Array, base: number, bits: number): number
  direct(bits: number): number
}

function createRangeDecoder(stream: Uint8Array): RangeDecoder {
  if (stream.length < 5) throw lzmaError('FORMAT_TRUNCATED', 0, `${stream.length} bytes; 5 are the least`)
  if (stream[0] !== 0) throw lzmaError('FORMAT_INVALID', 0, `the first byte is ${stream[0]}, not 0`)
  let code = new DataView(stream.buffer, stream.byteOffset, 5).getUint32(1)
  let range = 0xffff_ffff
  let position = 5

  const normalize = (): void => {
    if (range >= TOP) return
    if (position >= stream.length) {
      throw lzmaError('FORMAT_TRUNCATED', position, 'the stream ends before its data')
    }
    range = (range << 8) >>> 0
    code = ((code << 8) | (stream[position++] as number)) >>> 0
  }
  const bit = (probs: Uint16Array, index: number): number => {
    normalize()
    const probability = probs[index] as number
    const bound = (range >>> NUM_BIT_MODEL_TOTAL_BITS) * probability
    if (code < bound) {
      range = bound
      probs[index] = probability + (((1 << NUM_BIT_MODEL_TOTAL_BITS) - probability) >> NUM_MOVE_BITS)
      return 0
    }
    range -= bound
    code -= bound
    probs[index] = probability - (probability >> NUM_MOVE_BITS)
    return 1
  }
  return {
    get position() {
      return position
    },
    bit,
    tree(probs, base, bits) {
      let node = 1
      for (let done = 0; done < bits; done++) node = node * 2 + bit(probs, base + node)
      return node - (1 << bits)
    },
    reverseTree(probs, base, bits) {
      let node = 1
      let symbol = 0
      for (let done = 0; done < bits; done++) {
        const value = bit(probs, base + node)
        node = node * 2 + value
        symbol |= value << done
      }
      return symbol
    },
    direct(bits) {
      let value = 0
      for (let done = 0; done < bits; done++) {
        normalize()
        range >>>= 1
        const isSet = code >= range
        if (isSet) code -= range
        value = value * 2 + (isSet ? 1 : 0)
      }
      return value
    },
  }
}

function lzmaError(code: FormatErrorCode, offset: number, message: string): FormatError {
  return new FormatError(code, { format: 'lzma', structure: 'stream', offset }, message)
}
