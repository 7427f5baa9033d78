import { MATCH_MAX_LEN } from './model.ts'

/** Bytes that stood `distance` bytes before; length 0 where there are none. */
export interface Match {
  readonly length: number
  readonly distance: number
}

/** Finds what stood before. Positions are asked for in ascending order. */
export interface MatchFinder {
  find(position: number): Match
}

const HASH_BITS = 16
const HASHED = 3
/** More make the core image of GRUB 0.3 % smaller for twice the time. */
const CHAIN = 64
const NONE: Match = { length: 0, distance: 0 }

/** Chains of positions whose next three bytes have one hash. The whole of `data` is the window. */
export function createMatchFinder(data: Uint8Array): MatchFinder {
  const heads = new Int32Array(1 << HASH_BITS).fill(-1)
  const chains = new Int32Array(data.length)
  let known = 0

  const hash = (position: number): number => {
    const [a, b, c] = [data[position], data[position + 1], data[position + 2]] as [number, number, number]
    return Math.imul(a | (b << 8) | (c << 16), 0x9e37_79b1) >>> (32 - HASH_BITS)
  }
  const insert = (position: number): void => {
    const slot = hash(position)
    chains[position] = heads[slot] as number
    heads[slot] = position
  }

  return {
    find(position) {
      const last = data.length - HASHED
      for (; known < position && known <= last; known++) insert(known)
      if (position > last) return NONE
      const most = Math.min(MATCH_MAX_LEN, data.length - position)
      let best = NONE
      let candidate = heads[hash(position)] as number
      for (let tries = CHAIN; candidate >= 0 && tries > 0; tries--) {
        const length = matchLength(data, candidate, position, most)
        const distance = position - candidate
        // One byte more is not worth a distance that takes seven bits more.
        const isWorth = length > best.length + 1 || distance >> 7 <= best.distance
        if (length >= HASHED && length > best.length && (best === NONE || isWorth)) {
          best = { length, distance }
          if (length === most) break
        }
        candidate = chains[candidate] as number
      }
      return best
    },
  }
}

/** How many bytes from `a` and from `b` on are equal. */
export function matchLength(data: Uint8Array, a: number, b: number, most: number): number {
  let length = 0
  while (length < most && data[a + length] === data[b + length]) length++
  return length
}
