import {
  alignUp,
  type ByteSink,
  type ByteSource,
  concatBytes,
  createCoalescingWriter,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
  seededBytes,
  utf8,
  zlib,
} from '@bootable/bytes'
import { createAppender } from '../blocks/append.ts'
import { limitError, type OptionProblem, refuseProblems } from '../blocks/errors.ts'
import { BLOCK_SIZE, findData } from '../blocks/runs.ts'
import { forEachWindow, type LoadedBlock } from '../blocks/windows.ts'
import { ADAPTER_TYPES, formatDescriptor, type VmdkAdapterType } from './descriptor.ts'
import {
  COMPRESSION_DEFLATE,
  ENTRIES_PER_TABLE,
  ENTRY_SIZE,
  FLAG_COMPRESSED,
  FLAG_MARKERS,
  FLAG_NEW_LINE_TEST,
  FLAG_REDUNDANT_DIRECTORY,
  GRAIN_MARKER_SIZE,
  MAGIC,
  NEW_LINE_TEST,
  SECTOR,
  SparseExtentHeader,
} from './format.ts'
import {
  DESCRIPTOR_OFFSET,
  DESCRIPTOR_SECTORS,
  GRAIN_SECTORS,
  layoutVmdk,
  TABLE_SECTORS,
  tableSector,
  type VmdkLayout,
} from './layout.ts'

/** Options of {@link writeVmdk}. */
export interface WriteVmdkOptions extends OperationOptions, RuntimeOptions {
  /** What the CID is derived from: disks of the same seed pass for the same content. */
  readonly seed: string
  /** The CID itself, 32 bits. @defaultValue derived from `seed` */
  readonly cid?: number
  /** The controller that a virtual machine gives the disk. @defaultValue 'ide', as QEMU */
  readonly adapterType?: VmdkAdapterType
  /** Name that the file will have; it stands in the descriptor. @defaultValue 'disk.vmdk' */
  readonly fileName?: string
  /** 1 (fast) to 9 (small). @defaultValue 6, as QEMU */
  readonly level?: number
  /** Grains being compressed at a time. The bytes do not depend on it. @defaultValue 8 */
  readonly concurrency?: number
}

/** What a conversion wrote. */
export interface VmdkSummary {
  /** Bytes of the disk, whole sectors of 512. */
  readonly size: number
  /** Bytes of the file. */
  readonly fileSize: number
  /** Grains of 64 KiB that hold data; all others are holes and read as zero. */
  readonly grains: number
}

/** Sectors beyond which an entry of a grain table cannot point. */
const MAX_SECTORS = 2 ** 32
/** Sectors of a grain that deflate cannot make shorter, with its marker. */
const WORST_GRAIN = GRAIN_SECTORS + 1

/**
 * Writes a disk as a stream-optimised vmdk: the same layout as
 * `qemu-img convert -c -O vmdk -o subformat=streamOptimized`, with both copies of the grain tables in front
 * and no footer.
 *
 * Holes and zero grains are left out; holes are not even read. The header is written last, so that a cut
 * run leaves nothing that passes for an image.
 *
 * @throws BootableError `CONTAINER_OPTIONS_INVALID`, `CONTAINER_LIMIT` before anything is written
 */
export async function writeVmdk(
  source: ByteSource,
  target: ByteSink,
  options: WriteVmdkOptions,
): Promise<VmdkSummary> {
  const { level = 6, runtime = portableRuntime, signal } = options
  signal?.throwIfAborted()
  const layout = layoutVmdk(source.size)
  const descriptor = createDescriptor(layout, options)
  const runs = await findData(source)
  const worst = layout.overHead + runs.reduce((sum, run) => sum + run.count, 0) * WORST_GRAIN
  if (worst > MAX_SECTORS) throw limitError('vmdk', worst * SECTOR, MAX_SECTORS * SECTOR)

  const image = createImage(layout, target)
  const pack = (data: Uint8Array): Promise<Uint8Array> => zlib(data, { level, runtime })
  try {
    await forEachWindow(
      source,
      runs,
      { ...options, id: 'vmdk', blocksPerTable: ENTRIES_PER_TABLE, pack },
      image.add,
    )
    return await image.finish(descriptor)
  } catch (error) {
    // No write may be under way when the caller takes the file back.
    await image.settle()
    throw error
  }
}

/** The descriptor in the sectors that are its own. */
function createDescriptor(layout: VmdkLayout, options: WriteVmdkOptions): Uint8Array {
  const { seed, adapterType = 'ide', fileName = 'disk.vmdk' } = options
  const derived = new DataView(seededBytes(seed, 'vmdk:cid', 4).slice().buffer).getUint32(0)
  const { cid = derived } = options
  const problems: OptionProblem[] = []
  if (!ADAPTER_TYPES.includes(adapterType)) {
    problems.push({ option: 'adapterType', message: `${adapterType}; ${ADAPTER_TYPES.join(', ')} are known` })
  }
  if (!/^[^"/\\\p{Cc}]{1,255}$/u.test(fileName)) {
    const message = `${JSON.stringify(fileName)}: a name without quotes, slashes and control characters`
    problems.push({ option: 'fileName', message })
  }
  // 0xffffffff stands for a disk without content.
  if (!Number.isInteger(cid) || cid < 0 || cid >= 0xffff_ffff) {
    problems.push({ option: 'cid', message: `${cid}: an integer below 0xffffffff` })
  }
  refuseProblems('vmdk', problems)
  const text = formatDescriptor({ cid, sectors: layout.capacity, fileName, adapterType })
  const data = new Uint8Array(DESCRIPTOR_SECTORS * SECTOR)
  data.set(utf8(text))
  return data
}

interface Image {
  add(blocks: readonly LoadedBlock[]): Promise<void>
  finish(descriptor: Uint8Array): Promise<VmdkSummary>
  /** Waits for what is being written. */
  settle(): Promise<void>
}

function createImage(layout: VmdkLayout, target: ByteSink): Image {
  const grains = createAppender(target, layout.overHead * SECTOR)
  const copies = [layout.redundantDirectory, layout.directory].map((directory) =>
    createTableWriter(layout, directory, target),
  )
  let open: { readonly index: number; readonly table: Uint8Array; readonly view: DataView } | undefined
  let count = 0

  async function closeTable(): Promise<void> {
    if (open) for (const copy of copies) await copy.add(open.index, open.table)
    open = undefined
  }

  async function openTable(index: number): Promise<DataView> {
    if (open?.index !== index) {
      await closeTable()
      const table = new Uint8Array(TABLE_SECTORS * SECTOR)
      open = { index, table, view: new DataView(table.buffer) }
    }
    return open?.view as DataView
  }

  async function settle(): Promise<void> {
    await Promise.allSettled([grains.flush(), ...copies.map((copy) => copy.flush())])
  }

  return {
    async add(blocks) {
      const [first] = blocks
      if (!first) return
      const view = await openTable(Math.floor(first.index / ENTRIES_PER_TABLE))
      for (const { index, packed } of blocks) {
        const stream = packed as Uint8Array
        const position = alignUp(grains.end, SECTOR)
        await grains.put(position, encodeMarker(index, stream.length))
        await grains.put(position + GRAIN_MARKER_SIZE, stream)
        view.setUint32((index % ENTRIES_PER_TABLE) * ENTRY_SIZE, position / SECTOR, true)
        count++
      }
    },
    async finish(descriptor) {
      await closeTable()
      const fileSize = alignUp(grains.end, SECTOR)
      await Promise.all([grains.flush(), ...copies.map((copy) => copy.flush())])
      await target.truncate(fileSize)
      await target.write(layout.directory * SECTOR, encodeDirectory(layout, layout.directory))
      const redundant = encodeDirectory(layout, layout.redundantDirectory)
      await target.write(0, concatBytes([encodeHeader(layout), descriptor, redundant]))
      return { size: layout.capacity * SECTOR, fileSize, grains: count }
    },
    settle,
  }
}

/** Writes the tables of one of the two copies, those that have entries; the others read as zero. */
function createTableWriter(
  layout: VmdkLayout,
  directory: number,
  target: ByteSink,
): { add(index: number, table: Uint8Array): Promise<void>; flush(): Promise<void> } {
  const writer = createCoalescingWriter(target)
  return {
    async add(index, table) {
      await writer.write(tableSector(layout, directory, index) * SECTOR, table)
    },
    flush: () => writer.flush(),
  }
}

/** @param index number of the grain */
function encodeMarker(index: number, length: number): Uint8Array {
  const marker = new Uint8Array(GRAIN_MARKER_SIZE)
  const view = new DataView(marker.buffer)
  const lba = index * GRAIN_SECTORS
  view.setUint32(0, lba % 2 ** 32, true)
  view.setUint32(4, Math.floor(lba / 2 ** 32), true)
  view.setUint32(8, length, true)
  return marker
}

function encodeDirectory(layout: VmdkLayout, directory: number): Uint8Array {
  const data = new Uint8Array(layout.directorySectors * SECTOR)
  const view = new DataView(data.buffer)
  for (let table = 0; table < layout.tables; table++) {
    view.setUint32(table * ENTRY_SIZE, tableSector(layout, directory, table), true)
  }
  return data
}

function encodeHeader(layout: VmdkLayout): Uint8Array {
  return SparseExtentHeader.encode({
    magicNumber: MAGIC,
    // 3 is what QEMU gives compressed disks.
    version: 3,
    flags: FLAG_NEW_LINE_TEST | FLAG_REDUNDANT_DIRECTORY | FLAG_COMPRESSED | FLAG_MARKERS,
    capacity: layout.capacity,
    grainSize: BLOCK_SIZE / SECTOR,
    descriptorOffset: DESCRIPTOR_OFFSET,
    descriptorSize: DESCRIPTOR_SECTORS,
    numGtesPerGt: ENTRIES_PER_TABLE,
    rgdOffset: layout.redundantDirectory,
    gdOffset: BigInt(layout.directory),
    overHead: layout.overHead,
    newLineTest: NEW_LINE_TEST,
    compressAlgorithm: COMPRESSION_DEFLATE,
  })
}
