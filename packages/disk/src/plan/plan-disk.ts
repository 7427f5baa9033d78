import { alignUp, MiB } from '@bootable/bytes'
import { placeBootCode } from '../disk/boot-code.ts'
import { carveTree } from '../disk/carve.ts'
import { problemList } from '../errors.ts'
import type { DiskPlan, PlannedPartition } from './disk-plan.ts'
import { imageFile } from './image-file.ts'
import {
  checkOptions,
  type PlanDiskOptions,
  type PlannedSystem,
  type PlanRequest,
  tooSmall,
} from './options.ts'
import { diskSize, grows, lastByte, placeEntries } from './place.ts'
import { type ContentContext, planContent } from './planned-content.ts'
import { leastSize, type SizeContext, volumeSizes } from './sizes.ts'
import { mountedPaths, type TableEntry } from './table.ts'

/**
 * Decides every size and place of a disk. Pure arithmetic over the tree's inodes: no content is read, and
 * nothing is written.
 *
 * The standard tables, their order and the sizing rules are those of bootc-image-builder: 1 MiB grain, the
 * root last and up to the end.
 *
 * @throws BootableError `DISK_OPTIONS_INVALID` with every problem of the options, or with everything that
 * filesystems cannot hold; `DISK_TOO_SMALL`, `MOUNT_POINT_NOT_DIRECTORY`, `BOOT_CODE_WITHOUT_PLACE`,
 * `BOOT_CODE_TOO_LARGE`
 */
export function planDisk(system: PlannedSystem, options: PlanDiskOptions): DiskPlan {
  const request = checkOptions(system, options)
  const { table, seed } = request
  const { type, sectorSize, entries } = table
  const context = sizeContext(system, request)
  const { problems } = context

  const sizes = entries.map((entry) => leastSize(entry, grows(table, entry), context))
  const places = placeEntries(table, sizes, problems)
  const end = Math.max(...places.map((place) => place.start + place.size))
  checkLimit(request, end, context)
  problems.throwAny()
  const size = chooseSize(request, diskSize(table, end))

  const contents: ContentContext = {
    seed,
    architecture: system.architecture,
    hasBoot: entries.some(({ content }) => mountedPaths(content).includes('/boot')),
    volumeSizes: (group) => volumeSizes(group, context),
  }
  const partitions = entries.map((entry, index): PlannedPartition => {
    const place = places[index] as (typeof places)[number]
    const length = grows(table, entry) ? lastByte(table, size) - place.start : place.size
    return {
      number: index + 1,
      name: entry.name,
      type: entry.type,
      uuid: partitionUuid(entry, index + 1, request),
      label: entry.label,
      start: place.start,
      size: length,
      attributes: entry.attributes,
      ...(entry.content && { content: planContent(entry.content, length, [], contents) }),
    }
  })
  const plan: DiskPlan = { type, uuid: table.uuid as string, size, sectorSize, partitions }
  if (system.bootCode) placeBootCode(plan, system.bootCode)
  return plan
}

function sizeContext(system: PlannedSystem, { table, size }: PlanRequest): SizeContext {
  const paths = table.entries.flatMap(({ content }) => mountedPaths(content))
  return {
    trees: carveTree(system.sysroot, paths, system),
    mode: typeof size === 'number' ? 'exact' : size,
    sectorSize: table.sectorSize,
    imageSize: system.imageSize ?? 0,
    fileSize: (path) => imageFile(system, path).size,
    problems: problemList(),
  }
}

/** Sectors of a DOS table are counted with 32 bits. */
function checkLimit({ table, size }: PlanRequest, end: number, { problems }: SizeContext): void {
  const limit = 2 ** 32 * table.sectorSize
  const last = typeof size === 'number' ? Math.max(size, end) : Math.max(table.size, end)
  if (table.type !== 'dos' || last <= limit) return
  problems.report('size', `${last} bytes; a dos table reaches ${limit} bytes far`)
}

function chooseSize({ size, table }: PlanRequest, needed: number): number {
  if (size === 'minimum') return needed
  if (size === 'default') return Math.max(alignUp(table.size, MiB), needed)
  if (size < needed) throw tooSmall(size, needed)
  return size
}

/** Of a DOS table a partition has no uuid but this, which the kernel makes of the disk's. */
function partitionUuid({ uuid }: TableEntry, number: number, { table }: PlanRequest): string {
  return table.type === 'gpt' ? (uuid as string) : `${table.uuid}-${String(number).padStart(2, '0')}`
}
