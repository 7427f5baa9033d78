import { formatSize } from '@bootable/bytes'
import type { DiskPlanRow, DiskPlanVolume } from '@bootable/core'

/** Cells of a line about something on a disk, in the order of their columns. */
export interface VolumeCells {
  readonly name: string
  readonly size: string
  /** What it is, the further inside the further to the right. */
  readonly content: string
  readonly mountpoint: string
  readonly label: string
  readonly uuid: string
}

/** A line for what a partition holds, and one for each volume inside. */
export function volumeCells(partition: DiskPlanRow): VolumeCells[] {
  return cellsOf(partition, 0)
}

function cellsOf(item: DiskPlanRow | DiskPlanVolume, depth: number): VolumeCells[] {
  const { name, size, mountpoint, filesystem, label, uuid, inside } = item
  const isNamed = filesystem === 'lvm' || filesystem === 'raw'
  const cells = {
    name,
    size: size === undefined ? '' : formatSize(size),
    content: '  '.repeat(depth) + contentName(item),
    mountpoint,
    label: isNamed ? '' : label,
    uuid,
  }
  // What is decrypted has the long name that the machine will give it, which is the uuid of the line above.
  const shown = filesystem === 'luks' ? inside.map((volume) => ({ ...volume, name: '' })) : inside
  return [cells, ...shown.flatMap((volume) => cellsOf(volume, depth + 1))]
}

function contentName({ filesystem, label }: Pick<DiskPlanVolume, 'filesystem' | 'label'>): string {
  if (filesystem === 'luks') return 'LUKS2'
  if (filesystem === 'lvm') return `LVM2 ${label}`
  return filesystem === 'raw' ? `bytes of ${label}` : filesystem
}
