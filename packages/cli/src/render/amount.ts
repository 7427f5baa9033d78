import { formatSize } from '@bootable/bytes'

/** A count in its unit, for people. */
export function describeAmount(amount: number, unit: 'bytes' | 'items'): string {
  return unit === 'bytes' ? formatSize(amount) : String(amount)
}

/** The size of a disk; its sectors only where they are not those that everybody expects. */
export function formatDiskSize({
  size,
  sectorSize,
}: {
  readonly size: number
  readonly sectorSize: number
}): string {
  const sectors = sectorSize === 512 ? '' : `, sectors of ${sectorSize} bytes`
  return `${formatSize(size)} (${size} bytes)${sectors}`
}
