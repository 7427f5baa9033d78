import type { Timestamp } from '@bootable/tree'

/** The first and the last second that FAT can say: 1980-01-01 00:00:00 and 2107-12-31 23:59:58. */
export const FAT_TIME_MIN = Date.UTC(1980, 0, 1) / 1000
export const FAT_TIME_MAX = Date.UTC(2107, 11, 31, 23, 59, 58) / 1000

/** A time as DIR_WrtDate and DIR_WrtTime hold it. */
export interface DosTime {
  readonly date: number
  readonly time: number
}

/**
 * A time in DOS form: UTC, rounded down to two seconds, clamped to the years 1980 to 2107.
 *
 * FAT times have no zone. UTC is what Linux mounts with by `tz=UTC`, and the only choice that does not
 * depend on the host.
 */
export function encodeTime({ seconds }: Timestamp): DosTime {
  const clamped = Math.min(Math.max(seconds, FAT_TIME_MIN), FAT_TIME_MAX)
  const moment = new Date(clamped * 1000)
  return {
    date: ((moment.getUTCFullYear() - 1980) << 9) | ((moment.getUTCMonth() + 1) << 5) | moment.getUTCDate(),
    time: (moment.getUTCHours() << 11) | (moment.getUTCMinutes() << 5) | (moment.getUTCSeconds() >> 1),
  }
}

/** The other way. Days and months outside the calendar roll over, as they do in every reader. */
export function decodeTime({ date, time }: DosTime): Timestamp {
  const milliseconds = Date.UTC(
    1980 + (date >> 9),
    Math.max((date >> 5) & 15, 1) - 1,
    Math.max(date & 31, 1),
    time >> 11,
    (time >> 5) & 63,
    (time & 31) * 2,
  )
  return { seconds: milliseconds / 1000, nanoseconds: 0 }
}
