import { alignUp, seededUuid } from '@bootable/bytes'
import { placeBootCode } from '../disk/boot-code.ts'
import { carveTree } from '../disk/carve.ts'
import { GRAIN, usableBytes } from '../gpt/layout.ts'
import type { TableEntry } from './base-table.ts'
import type { DiskPlan, PlannedPartition } from './disk-plan.ts'
import { filesystemContent } from './mounts.ts'
import { checkOptions, type PlanDiskOptions, type PlannedSystem, tooSmall } from './options.ts'
import { DEFAULT_DISK_SIZE, leastSize } from './sizes.ts'

/**
 * Decides every size and place of a disk. Pure arithmetic over the tree's inodes: no content is read, and
 * nothing is written.
 *
 * The tables, their order and the sizing rules are those of bootc-image-builder: 1 MiB grain, the root
 * last and up to the end. The end is rounded down to whole MiB, as the newer image-builder does, so that
 * the root is made of whole blocks; bootc-image-builder itself gives it 1 MiB less 17 KiB more.
 *
 * @throws BootableError `DISK_OPTIONS_INVALID`, `DISK_TOO_SMALL`, `MOUNT_POINT_NOT_DIRECTORY`,
 * `BOOT_CODE_WITHOUT_PLACE`, `BOOT_CODE_TOO_LARGE`, and what the filesystems say about a tree that they
 * cannot hold
 */
export function planDisk(system: PlannedSystem, options: PlanDiskOptions): DiskPlan {
  const checked = checkOptions(system, options)
  const { entries, seed, sectorSize } = checked
  const paths = entries.flatMap(({ filesystem }) => filesystem?.path ?? [])
  const trees = carveTree(system.sysroot, paths, system)
  const sizes = entries.map((entry) => leastSize(entry, trees, system, checked))

  const needed = diskSize(
    sizes.reduce((sum, size) => sum + size, 0),
    sectorSize,
  )
  let size = checked.size
  if (size === 'minimum') size = needed
  else if (size === 'default') size = Math.max(DEFAULT_DISK_SIZE, needed)
  else if (size < needed) throw tooSmall(size, needed)

  const { start, end } = usableBytes(size, sectorSize)
  const partitions: PlannedPartition[] = []
  let position = start
  for (const [index, entry] of entries.entries()) {
    const isRoot = entry.filesystem?.path === '/'
    const length = isRoot ? end - position : (sizes[index] as number)
    partitions.push({
      number: index + 1,
      name: entry.name,
      type: entry.type,
      uuid: seededUuid(seed, partitionPurpose(entry)),
      label: '',
      start: position,
      size: length,
      attributes: [],
      ...(entry.filesystem && { content: filesystemContent(entry.filesystem, system, checked) }),
    })
    position += length
  }
  const plan = { uuid: seededUuid(seed, 'disk'), size, sectorSize, partitions }
  if (system.bootCode) placeBootCode(plan, system.bootCode)
  return plan
}

/** By path where there is one: two names may be the same (`/var/a-b` and `/var/a/b`). */
function partitionPurpose({ name, filesystem }: TableEntry): string {
  return `partition:${filesystem?.path ?? name}`
}

/** Bytes of the smallest disk, in whole MiB, whose partitions come to `length` bytes. */
function diskSize(length: number, sectorSize: number): number {
  let size = alignUp(GRAIN + length, GRAIN)
  for (;;) {
    const { start, end } = usableBytes(size, sectorSize)
    if (end - start >= length) return size
    size += GRAIN
  }
}
