import { BootableError } from '@bootable/bytes'
import type { SystemErrorCode } from '../errors.ts'
import type { ColonFile } from './colon-file.ts'
import type { SubordinateSettings } from './settings.ts'

/**
 * The next free id as shadow-utils chooses it (`find_new_uid()`): one above the highest that is taken
 * between the limits, or, when those are used up, the lowest that is free.
 * @throws BootableError `IDS_EXHAUSTED`
 */
export function nextFreeId(used: ReadonlySet<number>, min: number, max: number): number {
  let highest = min - 1
  for (const id of used) if (id >= min && id <= max && id > highest) highest = id
  if (highest < max) return highest + 1
  for (let id = min; id <= max; id++) if (!used.has(id)) return id
  throw new BootableError<SystemErrorCode>('IDS_EXHAUSTED', `all ids from ${min} to ${max} are taken`, {
    details: { min, max },
    hint: 'raise UID_MAX and GID_MAX in the login.defs of the image, or give an id',
  })
}

/**
 * The start of a free range of subordinate ids as shadow-utils chooses it (`find_free_range()`): the
 * first gap that is wide enough. `undefined` where none is.
 */
export function nextFreeRange(file: ColonFile, { min, max, count }: SubordinateSettings): number | undefined {
  const ranges = file
    .entries()
    .map(([, start, length]) => ({ start: Number(start), end: Number(start) + Number(length) }))
    .filter(({ start, end }) => Number.isSafeInteger(start) && Number.isSafeInteger(end))
    .sort((a, b) => a.start - b.start)
  let low = min
  for (const { start, end } of ranges) {
    if (Math.min(start, max + 1) - low >= count) return low
    low = Math.max(low, end)
  }
  return max - low + 1 >= count ? low : undefined
}
