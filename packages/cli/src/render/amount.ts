import { formatSize } from '@bootable/bytes'

/** A count in its unit, for people. */
export function describeAmount(amount: number, unit: 'bytes' | 'items'): string {
  return unit === 'bytes' ? formatSize(amount) : String(amount)
}
