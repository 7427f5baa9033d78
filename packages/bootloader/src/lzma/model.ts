/**
 * The probabilities and the states of LZMA (LZMA specification, Igor Pavlov, 2015), with lc=3, lp=0 and
 * pb=2: the only parameters that GRUB's decompressor knows. Names are the specification's.
 */

/** Literals depend on this many high bits of the byte before them. */
export const LC = 3
/** Matches depend on this many low bits of the position. */
export const PB = 2

export const NUM_STATES = 12
export const POS_STATES = 1 << PB
export const LEN_TO_POS_STATES = 4
export const NUM_ALIGN_BITS = 4
/** Distances from this slot on have bits of equal probability. */
export const END_POS_MODEL_INDEX = 14
export const FULL_DISTANCES = 1 << (END_POS_MODEL_INDEX >> 1)
export const MATCH_MIN_LEN = 2
export const MATCH_MAX_LEN = 273

export const NUM_BIT_MODEL_TOTAL_BITS = 11
export const NUM_MOVE_BITS = 5
/** Below this the range is widened by a byte. */
export const TOP = 0x0100_0000

/** Probabilities of the length of a match. */
export interface LengthModel {
  readonly choice: Uint16Array
  /** Lengths 2 to 9, for each position state a tree. */
  readonly low: Uint16Array
  /** 10 to 17. */
  readonly mid: Uint16Array
  /** 18 to 273. */
  readonly high: Uint16Array
}

/** All probabilities of a stream; they follow what was coded. */
export interface Model {
  /** By state and position state, as {@link isRep0Long}. */
  readonly isMatch: Uint16Array
  readonly isRep: Uint16Array
  readonly isRepG0: Uint16Array
  readonly isRepG1: Uint16Array
  readonly isRepG2: Uint16Array
  readonly isRep0Long: Uint16Array
  readonly posSlot: Uint16Array
  readonly pos: Uint16Array
  readonly align: Uint16Array
  readonly literal: Uint16Array
  readonly len: LengthModel
  readonly repLen: LengthModel
}

/** A model before the first bit: nothing is more likely than anything else. */
export function createModel(): Model {
  return {
    isMatch: even(NUM_STATES << PB),
    isRep: even(NUM_STATES),
    isRepG0: even(NUM_STATES),
    isRepG1: even(NUM_STATES),
    isRepG2: even(NUM_STATES),
    isRep0Long: even(NUM_STATES << PB),
    posSlot: even(LEN_TO_POS_STATES << 6),
    pos: even(1 + FULL_DISTANCES - END_POS_MODEL_INDEX),
    align: even(1 << NUM_ALIGN_BITS),
    literal: even(0x300 << LC),
    len: createLengthModel(),
    repLen: createLengthModel(),
  }
}

function createLengthModel(): LengthModel {
  return { choice: even(2), low: even(POS_STATES << 3), mid: even(POS_STATES << 3), high: even(1 << 8) }
}

function even(count: number): Uint16Array {
  return new Uint16Array(count).fill(1 << (NUM_BIT_MODEL_TOTAL_BITS - 1))
}

/** Where the probabilities of a literal after `previous` begin. */
export function literalTree(previous: number): number {
  return 0x300 * (previous >> (8 - LC))
}

/** Which tree of slots a match of `length` bytes takes. */
export function lenToPosState(length: number): number {
  return Math.min(length - MATCH_MIN_LEN, LEN_TO_POS_STATES - 1)
}

/** States below this follow a literal; from it on the byte at the last distance helps to code one. */
export const FIRST_MATCH_STATE = 7

export function stateAfterLiteral(state: number): number {
  if (state < 4) return 0
  return state < 10 ? state - 3 : state - 6
}

export function stateAfterMatch(state: number): number {
  return state < FIRST_MATCH_STATE ? 7 : 10
}

export function stateAfterRep(state: number): number {
  return state < FIRST_MATCH_STATE ? 8 : 11
}

export function stateAfterShortRep(state: number): number {
  return state < FIRST_MATCH_STATE ? 9 : 11
}
