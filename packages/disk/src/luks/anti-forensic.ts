import { type HashAlgorithm, portableRuntime, type RuntimeOptions } from '@bootable/bytes'

/** What splitter and merger have in common. */
export interface AntiForensicOptions extends RuntimeOptions {
  readonly hash: HashAlgorithm
  readonly stripes: number
}

/**
 * Spreads a key over many stripes, so that the loss of any bit loses it (LUKS1 On-Disk Format
 * Specification 1.2.3, 2.4: AFsplit).
 *
 * @param filling bytes of all stripes but the last, which nobody can tell from chance
 */
export function splitKey(key: Uint8Array, filling: Uint8Array, options: AntiForensicOptions): Uint8Array {
  const { length } = key
  const split = new Uint8Array(length * options.stripes)
  split.set(filling.subarray(0, length * (options.stripes - 1)))
  const last = split.subarray(length * (options.stripes - 1))
  last.set(foldStripes(split, length, options))
  combine(last, key)
  return split
}

/** The reverse of {@link splitKey}. @param length bytes of the key */
export function mergeKey(split: Uint8Array, length: number, options: AntiForensicOptions): Uint8Array {
  const key = foldStripes(split, length, options)
  combine(key, split.subarray(length * (options.stripes - 1)))
  return key
}

/** All stripes but the last, combined and diffused one after the other. */
function foldStripes(
  split: Uint8Array,
  length: number,
  { hash, stripes, runtime = portableRuntime }: AntiForensicOptions,
): Uint8Array {
  let state = new Uint8Array(length)
  for (let stripe = 0; stripe < stripes - 1; stripe++) {
    combine(state, split.subarray(stripe * length))
    const diffused = new Uint8Array(length)
    const counter = new Uint8Array(4)
    for (let at = 0, index = 0; at < length; index++) {
      new DataView(counter.buffer).setUint32(0, index)
      // Blocks as long as the digest; the last one may be shorter.
      const size = hash === 'sha256' ? 32 : 64
      const block = state.subarray(at, at + size)
      const digest = runtime.createHash(hash).update(counter).update(block).digest()
      diffused.set(digest.subarray(0, block.length), at)
      at += size
    }
    state = diffused
  }
  return state
}

function combine(target: Uint8Array, other: Uint8Array): void {
  for (let index = 0; index < target.length; index++) {
    target[index] = (target[index] as number) ^ (other[index] as number)
  }
}
