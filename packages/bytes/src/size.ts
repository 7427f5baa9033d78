import { BootableError } from './errors.ts'

export const KiB = 1024
export const MiB = 1024 ** 2
export const GiB = 1024 ** 3
export const TiB = 1024 ** 4

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB,
  MiB,
  GiB,
  TiB,
}

/**
 * Bytes from a number or a text such as `10 GiB`, `1.5GB` or `1048576`. kB to TB are decimal, KiB to
 * TiB binary; a fraction is rounded down to whole bytes.
 * @throws BootableError `SIZE_INVALID`
 */
export function parseSize(size: number | string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(String(size))
  const unit = UNITS[match?.[2] ?? '?']
  const bytes = match && unit !== undefined ? Math.floor(Number(match[1]) * unit) : Number.NaN
  if (!Number.isSafeInteger(bytes)) {
    throw new BootableError('SIZE_INVALID', `not a size: ${JSON.stringify(size)}`, {
      details: { size },
      hint: 'write a number of bytes, or a number with kB, KiB, MB, MiB, GB, GiB, TB or TiB',
    })
  }
  return bytes
}

/** A size for people, in the largest binary unit that keeps it at 1 or above: `501 MiB`, `1.5 GiB`. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${Number(value.toFixed(value < 10 ? 2 : 1))} ${units[unit]}`
}

/** The smallest multiple of `step` that is not below `value`. */
export function alignUp(value: number, step: number): number {
  return Math.ceil(value / step) * step
}

/** The largest multiple of `step` that is not above `value`. */
export function alignDown(value: number, step: number): number {
  return Math.floor(value / step) * step
}
