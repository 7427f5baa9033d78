import type { BlockDevice, GatherPiece, OperationOptions } from '@bootable/bytes'
import { BootableError, clearRange, createCoalescingWriter, gather } from '@bootable/bytes'
import type { FileTree, Timestamp } from '@bootable/tree'
import { EPOCH } from '@bootable/tree'
import { encodeBootSector, encodeFsInfo } from './boot-sector.ts'
import { encodeDirectory } from './directory.ts'
import type { FatErrorCode, FatType } from './format.ts'
import { BACKUP_BOOT_SECTOR, FIRST_CLUSTER, FSINFO_SECTOR } from './format.ts'
import type { FatGeometry, FatLayout, FatLayoutOptions } from './layout.ts'
import { clusterOffset, clusterSize, fatOffset, fitLayout, layoutFat, rootOffset } from './layout.ts'
import type { FatAllocation, FatPlan } from './plan.ts'
import { allocateClusters, countClusters, planTree } from './plan.ts'
import { encodeTable } from './table.ts'

/** What changes the size of a FAT volume. */
export interface MeasureFatOptions {
  /** Width of the table's entries. @defaultValue as mkfs.fat: 32 from 512 MiB on, below 12 or 16 */
  readonly type?: FatType
  /** Bytes; 4096 on a disk whose sectors are that large. @defaultValue 512 */
  readonly sectorSize?: 512 | 4096
  /** At most 11 characters of ASCII. @defaultValue none */
  readonly label?: string
  /** @defaultValue chosen by size, as mkfs.fat does */
  readonly geometry?: FatGeometry
}

/** Options of {@link writeFat}. */
export interface WriteFatOptions extends MeasureFatOptions, OperationOptions {
  /** The serial number: 32 bits, or text like `7B77-95E7`. */
  readonly volumeId: number | string
  /** Sectors before the volume on its disk: the first sector of its partition. @defaultValue 0 */
  readonly hiddenSectors?: number
  /** Time of the volume label. @defaultValue the epoch, which FAT shows as 1980 */
  readonly time?: Timestamp
}

/**
 * Writes a tree as a FAT volume that takes up the whole device.
 *
 * Owners, modes and xattrs have no place in FAT and are left out; a file with several names becomes as
 * many copies; times are UTC to two seconds, from 1980 to 2107. Type and sizes are those that mkfs.fat
 * 4.2 would choose for the device.
 *
 * @param device its bytes read as zero where nothing was written yet, or it can clear them
 * @returns where everything stands
 * @throws BootableError with a {@link FatErrorCode}
 */
export async function writeFat(
  tree: FileTree,
  device: BlockDevice,
  options: WriteFatOptions,
): Promise<FatLayout> {
  options.signal?.throwIfAborted()
  const { label, signal } = options
  const volumeId = checkVolumeId(options.volumeId)
  checkLabel(label)
  const plan = planTree(tree, label)
  const layout = layoutFat(device.size, layoutOptions(plan, options))
  const allocation = allocateClusters(plan, layout)
  const hiddenSectors = options.hiddenSectors ?? 0

  // Entries of the tables and of directories that are not in use are zero, and not written.
  const contents = allocation.files.find((cluster) => cluster > 0) ?? FIRST_CLUSTER + allocation.used
  await clearRange(device, 0, clusterOffset(layout, contents))
  const writer = createCoalescingWriter(device)
  const boot = encodeBootSector(layout, { volumeId, label, hiddenSectors })
  await writer.write(0, boot)
  if (layout.type === 32) {
    const info = encodeFsInfo(layout, allocation.used)
    await writer.write(FSINFO_SECTOR * layout.sectorSize, info)
    await writer.write(BACKUP_BOOT_SECTOR * layout.sectorSize, boot)
    await writer.write((BACKUP_BOOT_SECTOR + FSINFO_SECTOR) * layout.sectorSize, info)
  }
  for (let copy = 0; copy < layout.fats; copy++) {
    let offset = fatOffset(layout, copy)
    for (const chunk of encodeTable(layout.type, allocation.chains)) {
      signal?.throwIfAborted()
      await writer.write(offset, chunk)
      offset += chunk.length
    }
  }
  const volume = label === undefined ? undefined : { label, time: options.time ?? EPOCH }
  for (const [index, cluster] of allocation.directories.entries()) {
    const offset = cluster === 0 ? rootOffset(layout) : clusterOffset(layout, cluster)
    const pending = writer.write(offset, encodeDirectory(plan, allocation, index, volume))
    if (pending) {
      await pending
      signal?.throwIfAborted()
    }
  }
  await writer.flush()
  await writeContents(plan, allocation, layout, device, options)
  return layout
}

/** Bytes of file contents read and written at a time. */
const WINDOW = 4 * 1_048_576

/**
 * Files stand in the order of the plan with nothing between them but the ends of their last clusters: the
 * whole is written front to back, a window at a time, while the next window is being read.
 */
async function writeContents(
  plan: FatPlan,
  allocation: FatAllocation,
  layout: FatLayout,
  device: BlockDevice,
  { signal, onProgress }: OperationOptions,
): Promise<void> {
  const total = plan.files.reduce((sum, file) => sum + file.content.size, 0)
  onProgress?.({ type: 'start', id: 'fat', label: 'write FAT', unit: 'bytes', total })
  let done = 0
  let pending: Promise<void> | undefined
  try {
    for (const window of contentWindows(plan, allocation, layout)) {
      signal?.throwIfAborted()
      const bytes = new Uint8Array(window.length)
      await gather(
        window.pieces.map(({ at, length, ...piece }) => ({
          ...piece,
          target: bytes.subarray(at, at + length),
        })),
      )
      await pending
      pending = device.write(window.offset, bytes)
      pending.catch(() => {})
      for (const piece of window.pieces) done += piece.length
      onProgress?.({ type: 'advance', id: 'fat', done })
    }
  } finally {
    await pending
  }
  onProgress?.({ type: 'end', id: 'fat' })
}

/** Neighbouring clusters of the data area, and which files' bytes fill them. */
interface ContentWindow {
  readonly offset: number
  length: number
  readonly pieces: (Omit<GatherPiece, 'target'> & { readonly at: number; readonly length: number })[]
}

function* contentWindows(
  plan: FatPlan,
  allocation: FatAllocation,
  layout: FatLayout,
): Generator<ContentWindow> {
  let window: ContentWindow | undefined
  for (const [index, { content }] of plan.files.entries()) {
    const start = clusterOffset(layout, allocation.files[index] as number)
    for (let offset = 0; offset < content.size; ) {
      window ??= { offset: start + offset, length: 0, pieces: [] }
      const at = start + offset - window.offset
      const length = Math.min(content.size - offset, WINDOW - at)
      window.pieces.push({ source: content, offset, at, length })
      window.length = at + length
      offset += length
      // The next file starts at a cluster: a window that has less than one left cannot take it.
      if (window.length + clusterSize(layout) > WINDOW) {
        yield window
        window = undefined
      }
    }
  }
  if (window) yield window
}

/**
 * Bytes of a device that takes the tree with these options.
 *
 * It is the smallest size but for what a step of mkfs.fat's choice of clusters gives away. A larger device
 * may have larger clusters, so that a tree of very many tiny files can fit a volume and not the next size.
 *
 * @throws BootableError `FAT_UNSUPPORTED`, `FAT_NAME_COLLISION`, `FAT_OPTION_INVALID`
 */
export function measureFat(tree: FileTree, options: MeasureFatOptions = {}): number {
  checkLabel(options.label)
  const plan = planTree(tree, options.label)
  return fitLayout(layoutOptions(plan, options), (layout) => countClusters(plan, layout))
}

function layoutOptions(
  plan: FatPlan,
  { type, sectorSize = 512, geometry }: MeasureFatOptions,
): FatLayoutOptions & { sectorSize: 512 | 4096 } {
  if (sectorSize !== 512 && sectorSize !== 4096) throw invalid('sectorSize', sectorSize, '512 or 4096')
  for (const [name, value] of Object.entries(geometry ?? {})) {
    const isGood = Number.isInteger(value) && value >= 1 && value <= 0xffff
    if (!isGood) throw invalid(`geometry.${name}`, value, '1 to 65535')
  }
  const rootEntries = plan.directories[0]?.slots ?? 0
  return {
    sectorSize,
    rootEntries,
    ...(type === undefined ? {} : { type }),
    ...(geometry === undefined ? {} : { geometry }),
  }
}

function checkVolumeId(volumeId: number | string): number {
  if (typeof volumeId === 'string' && /^[0-9a-f]{4}-[0-9a-f]{4}$/i.test(volumeId)) {
    return Number.parseInt(volumeId.replace('-', ''), 16)
  }
  const good =
    typeof volumeId === 'number' && Number.isInteger(volumeId) && volumeId >= 0 && volumeId < 2 ** 32
  if (!good) throw invalid('volumeId', volumeId, '32 bits, or text like 7B77-95E7')
  return volumeId
}

/** Labels take what short names take, blanks and lower case too (mkfs.fat warns of the latter). */
function checkLabel(label: string | undefined): void {
  if (label === undefined || /^(?! )[ \w!#$%&'()@^`{}~-]{1,11}$/.test(label)) return
  throw invalid('label', label, "1 to 11 letters, digits, blanks or any of !#$%&'()-@^_`{}~")
}

function invalid(option: string, value: unknown, expected: string): BootableError<FatErrorCode> {
  return new BootableError(
    'FAT_OPTION_INVALID',
    `${option} is ${JSON.stringify(value)}, expected ${expected}`,
    {
      details: { option, value, expected },
    },
  )
}
