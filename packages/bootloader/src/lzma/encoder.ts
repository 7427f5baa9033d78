import { createMatchFinder, type Match, matchLength } from './match-finder.ts'
import {
  createModel,
  END_POS_MODEL_INDEX,
  FIRST_MATCH_STATE,
  type LengthModel,
  lenToPosState,
  literalTree,
  MATCH_MAX_LEN,
  MATCH_MIN_LEN,
  NUM_ALIGN_BITS,
  PB,
  POS_STATES,
  stateAfterLiteral,
  stateAfterMatch,
  stateAfterRep,
  stateAfterShortRep,
} from './model.ts'
import { createRangeEncoder } from './range-encoder.ts'

/** One of the four last distances. */
interface Repeat {
  readonly index: number
  readonly length: number
}

/** A match of this length is taken without a look at what the next byte might give. */
const NICE_LENGTH = 64

/**
 * Compresses as a raw LZMA stream: lc=3, lp=0, pb=2, neither header nor end marker, and no limit to the
 * distances. The decoder has to know how long the data is.
 *
 * The choices are those of the LZMA SDK's fast mode: the longest match unless the next byte begins a better
 * one, with a liking for the last four distances.
 */
export function encodeLzma(data: Uint8Array): Uint8Array {
  const model = createModel()
  const coder = createRangeEncoder()
  const finder = createMatchFinder(data)
  const reps = [1, 1, 1, 1] as [number, number, number, number]
  let state = 0
  let position = 0

  const posState = (): number => position & (POS_STATES - 1)
  const startsMatch = (isMatch: number): void => coder.bit(model.isMatch, (state << PB) + posState(), isMatch)

  const literal = (): void => {
    startsMatch(0)
    const symbol = data[position] as number
    const tree = literalTree(position > 0 ? (data[position - 1] as number) : 0)
    if (state < FIRST_MATCH_STATE) coder.tree(model.literal, tree, 8, symbol)
    else matchedLiteral(tree, symbol, data[position - reps[0]] as number)
    state = stateAfterLiteral(state)
    position++
  }
  /** As long as its bits are those of the byte at the last distance, they are coded by that. */
  const matchedLiteral = (tree: number, symbol: number, matched: number): void => {
    let node = 1
    let offset = 0x100
    for (let left = 7; left >= 0; left--) {
      const bit = (symbol >> left) & 1
      const matchBit = offset && (((matched >> left) & 1) + 1) << 8
      coder.bit(model.literal, tree + matchBit + node, bit)
      node = node * 2 + bit
      if (offset !== 0 && ((matched >> left) & 1) !== bit) offset = 0
    }
  }

  const length = (lengths: LengthModel, value: number): void => {
    const { choice, low, mid, high } = lengths
    const rest = value - MATCH_MIN_LEN
    coder.bit(choice, 0, rest < 8 ? 0 : 1)
    if (rest >= 8) coder.bit(choice, 1, rest < 16 ? 0 : 1)
    if (rest < 8) coder.tree(low, posState() << 3, 3, rest)
    else if (rest < 16) coder.tree(mid, posState() << 3, 3, rest - 8)
    else coder.tree(high, 0, 8, rest - 16)
  }

  const match = (found: Match): void => {
    startsMatch(1)
    coder.bit(model.isRep, state, 0)
    length(model.len, found.length)
    distance(found.distance - 1, found.length)
    reps.unshift(found.distance)
    reps.length = 4
    state = stateAfterMatch(state)
    position += found.length
  }
  const distance = (value: number, matched: number): void => {
    const bits = 31 - Math.clz32(value)
    const slot = value < 4 ? value : bits * 2 + ((value >>> (bits - 1)) & 1)
    coder.tree(model.posSlot, lenToPosState(matched) << 6, 6, slot)
    if (slot < 4) return
    const footer = (slot >> 1) - 1
    const base = (2 | (slot & 1)) << footer
    const rest = value - base
    if (slot < END_POS_MODEL_INDEX) coder.reverseTree(model.pos, base - slot, footer, rest)
    else {
      coder.direct(rest >>> NUM_ALIGN_BITS, footer - NUM_ALIGN_BITS)
      coder.reverseTree(model.align, 0, NUM_ALIGN_BITS, rest & ((1 << NUM_ALIGN_BITS) - 1))
    }
  }

  const repeat = ({ index, length: matched }: Repeat): void => {
    startsMatch(1)
    coder.bit(model.isRep, state, 1)
    coder.bit(model.isRepG0, state, index === 0 ? 0 : 1)
    if (index === 0) coder.bit(model.isRep0Long, (state << PB) + posState(), matched === 1 ? 0 : 1)
    else {
      coder.bit(model.isRepG1, state, index === 1 ? 0 : 1)
      if (index > 1) coder.bit(model.isRepG2, state, index - 2)
      reps.unshift(...reps.splice(index, 1))
    }
    if (matched > 1) length(model.repLen, matched)
    state = matched > 1 ? stateAfterRep(state) : stateAfterShortRep(state)
    position += matched
  }
  const longestRepeat = (at: number): Repeat => {
    const most = Math.min(MATCH_MAX_LEN, data.length - at)
    let best: Repeat = { index: 0, length: 0 }
    for (const [index, rep] of reps.entries()) {
      const found = rep > at ? 0 : matchLength(data, at - rep, at, most)
      if (found > best.length) best = { index, length: found }
    }
    return best
  }

  let here = finder.find(0)
  while (position < data.length) {
    const rep = longestRepeat(position)
    if (rep.length >= MATCH_MIN_LEN && isRepeatBetter(rep, here)) repeat(rep)
    else if (here.length === 0) {
      const isSame = position >= reps[0] && data[position] === data[position - reps[0]]
      if (isSame && state >= FIRST_MATCH_STATE) repeat({ index: 0, length: 1 })
      else literal()
    } else {
      const next = here.length < NICE_LENGTH ? finder.find(position + 1) : undefined
      const isNextBetter = next && isLaterBetter(here, next, longestRepeat(position + 1))
      if (isNextBetter) {
        literal()
        here = next
        continue
      }
      match(here)
    }
    here = finder.find(position)
  }
  return coder.finish()
}

/** A repeat costs no distance: it may be shorter, the more so the farther the match is. */
function isRepeatBetter(rep: Repeat, { length, distance }: Match): boolean {
  if (rep.length + 1 >= length) return true
  if (rep.length + 2 >= length) return distance >= 1 << 9
  return rep.length + 3 >= length && distance >= 1 << 15
}

/** Whether a literal and then `next`, or a repeat, is better than `here`. */
function isLaterBetter(here: Match, next: Match, rep: Repeat): boolean {
  if (rep.length >= Math.max(MATCH_MIN_LEN, here.length - 1)) return true
  if (next.length > here.length + 1) return true
  if (next.length === here.length + 1) return next.distance >> 7 <= here.distance
  if (next.length === here.length) return next.distance < here.distance
  return next.length + 1 === here.length && next.length >= 3 && here.distance >> 7 > next.distance
}
