import type { Timestamp } from '@bootable/tree'

/*
 * Times with the feature bigtime (`xfs_format.h`): nanoseconds since 1901-12-13, the earliest second that
 * 32 bits can say. Without it, two signed words of seconds and nanoseconds.
 */

const SECOND = 1_000_000_000n
/** `XFS_BIGTIME_EPOCH_OFFSET`. */
const EPOCH_OFFSET = 2 ** 31
const EARLIEST = -EPOCH_OFFSET
/** `XFS_BIGTIME_TIME_MAX`, counted from 1970: 2486-07-02. */
const LATEST = 18_446_744_072 - EPOCH_OFFSET

/** A time as XFS holds it; one before 1901 or after 2486 moves to the nearest it can say. */
export function encodeTime({ seconds, nanoseconds }: Timestamp): bigint {
  if (seconds < EARLIEST) return 0n
  if (seconds > LATEST) return BigInt(LATEST + EPOCH_OFFSET) * SECOND
  return BigInt(seconds + EPOCH_OFFSET) * SECOND + BigInt(nanoseconds)
}

/** @param isBigtime whether the inode has the flag `XFS_DIFLAG2_BIGTIME` */
export function decodeTime(value: bigint, isBigtime: boolean): Timestamp {
  if (isBigtime)
    return { seconds: Number(value / SECOND) - EPOCH_OFFSET, nanoseconds: Number(value % SECOND) }
  const nanoseconds = Number(value & 0xffff_ffffn)
  // More than a second of nanoseconds, which no kernel writes, counts as none.
  return {
    seconds: Number(BigInt.asIntN(32, value >> 32n)),
    nanoseconds: nanoseconds < 1e9 ? nanoseconds : 0,
  }
}
