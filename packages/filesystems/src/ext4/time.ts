import type { Timestamp } from '@bootable/tree'

/*
 * Times of 34 bits and nanoseconds (`EXT4_EPOCH_BITS`): the old field counts signed seconds from 1970;
 * its extra field adds two bits of epoch, each worth 2^32 seconds, and 30 bits of nanoseconds.
 */

const EARLIEST = -(2 ** 31)
const LATEST = 2 ** 34 - 2 ** 31 - 1

/** A time as ext4 can hold it: from 1901-12-13 to 2446-05-10; others move to the nearest of the two. */
export function clampTime({ seconds, nanoseconds }: Timestamp): Timestamp {
  if (seconds < EARLIEST) return { seconds: EARLIEST, nanoseconds: 0 }
  if (seconds > LATEST) return { seconds: LATEST, nanoseconds: 999_999_999 }
  return { seconds, nanoseconds }
}

/** The old field, `i_mtime` and its like. */
export function timeLow(seconds: number): number {
  return seconds >>> 0
}

/** The extra field, `i_mtime_extra` and its like. */
export function timeExtra(seconds: number, nanoseconds: number): number {
  const epoch = Math.floor((seconds - (seconds | 0)) / 2 ** 32) & 3
  return ((nanoseconds << 2) | epoch) >>> 0
}

/** `ext4_decode_extra_time`. Nanoseconds above their range, which no kernel writes, count as 0. */
export function decodeTime(low: number, extra: number): Timestamp {
  const nanoseconds = extra >>> 2
  return {
    seconds: (low | 0) + (extra & 3) * 2 ** 32,
    nanoseconds: nanoseconds < 1_000_000_000 ? nanoseconds : 0,
  }
}
