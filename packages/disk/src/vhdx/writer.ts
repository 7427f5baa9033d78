import {
  alignUp,
  type ByteSink,
  type ByteSource,
  createCoalescingWriter,
  guidToBytes,
  type OperationOptions,
  seededUuid,
  type Uuid,
} from '@bootable/bytes'
import { limitError, type OptionProblem, refuseProblems } from '../blocks/errors.ts'
import { BLOCK_SIZE, findData } from '../blocks/runs.ts'
import { forEachWindow, type LoadedBlock } from '../blocks/windows.ts'
import { BAT_ENTRY_SIZE, BLOCK_FULLY_PRESENT, BLOCK_ZERO, MAX_DISK, SECTOR_SIZES } from './format.ts'
import { encodeHeaderSection, encodeMetadata, type VhdxParameters } from './header-encode.ts'
import { batIndex, layoutVhdx, type VhdxLayout } from './layout.ts'

/** Options of {@link writeVhdx}. */
export interface WriteVhdxOptions extends OperationOptions {
  /** What the ids of the file, its content and the disk are derived from. */
  readonly seed: string
  /** The id of the disk, which a guest sees. @defaultValue derived from `seed` */
  readonly uuid?: Uuid
  /** Bytes of a sector as a guest addresses them. @defaultValue 512 */
  readonly sectorSize?: 512 | 4096
  /** Bytes of a sector of the medium. @defaultValue those of `sectorSize`, as QEMU */
  readonly physicalSectorSize?: 512 | 4096
}

/** What a conversion wrote. */
export interface VhdxSummary {
  /** Bytes of the disk, whole sectors. */
  readonly size: number
  /** Bytes of the file. */
  readonly fileSize: number
  /** Bytes of a payload block. */
  readonly blockSize: number
  /** Payload blocks that hold data; all others are holes and read as zero. */
  readonly blocks: number
}

/**
 * Writes a disk as a dynamic vhdx with an empty log: the layout of `qemu-img convert -O vhdx`.
 *
 * Payload blocks without data are not allocated; in the others holes stay holes of the file. The header
 * section is written last, so that a cut run leaves nothing that passes for an image.
 *
 * @throws BootableError `CONTAINER_OPTIONS_INVALID`, `CONTAINER_LIMIT` before anything is written
 */
export async function writeVhdx(
  source: ByteSource,
  target: ByteSink,
  options: WriteVhdxOptions,
): Promise<VhdxSummary> {
  options.signal?.throwIfAborted()
  const parameters = checkOptions(source.size, options)
  const { size, sectorSize } = parameters
  if (size > MAX_DISK) throw limitError('vhdx', size, MAX_DISK)
  const layout = layoutVhdx(size, sectorSize)
  const payload = createPayload(layout, sectorSize, target)
  try {
    const runs = await findData(source)
    const blocksPerTable = layout.blockSize / BLOCK_SIZE
    await forEachWindow(source, runs, { ...options, id: 'vhdx', blocksPerTable }, payload.add)
    await payload.flush()
    await target.truncate(payload.end)
    await target.write(layout.bat, payload.bat)
    await target.write(layout.metadata, encodeMetadata(layout, parameters))
    await target.write(0, encodeHeaderSection(layout, options.seed))
    return { size, fileSize: payload.end, blockSize: layout.blockSize, blocks: payload.count }
  } catch (error) {
    // No write may be under way when the caller takes the file back.
    await payload.flush().catch(() => {})
    throw error
  }
}

function checkOptions(length: number, options: WriteVhdxOptions): VhdxParameters {
  const { seed, sectorSize = 512, uuid = seededUuid(seed, 'vhdx:virtual-disk-id') } = options
  const { physicalSectorSize = sectorSize } = options
  const problems: OptionProblem[] = []
  for (const [option, value] of Object.entries({ sectorSize, physicalSectorSize })) {
    if (!SECTOR_SIZES.includes(value)) problems.push({ option, message: `${value}: 512 or 4096` })
  }
  let virtualDiskId = new Uint8Array(16)
  try {
    virtualDiskId = guidToBytes(uuid).slice()
  } catch {
    problems.push({ option: 'uuid', message: `not a uuid: ${uuid}` })
  }
  refuseProblems('vhdx', problems)
  return { size: alignUp(length, sectorSize), sectorSize, physicalSectorSize, virtualDiskId }
}

interface Payload {
  add(blocks: readonly LoadedBlock[]): Promise<void>
  flush(): Promise<void>
  /** The block allocation table, as it is written. */
  readonly bat: Uint8Array
  /** Payload blocks so far. */
  readonly count: number
  /** Bytes of the file so far. */
  readonly end: number
}

/** Payload blocks are allocated one after the other, as data for them comes. */
function createPayload(layout: VhdxLayout, sectorSize: number, target: ByteSink): Payload {
  const { blockSize, blocks } = layout
  const bat = new Uint8Array(layout.batLength)
  const view = new DataView(bat.buffer)
  const position = (block: number): number => batIndex(block, blockSize, sectorSize) * BAT_ENTRY_SIZE
  // A block that is merely not present may read as anything; these read as zero.
  for (let block = 0; block < blocks; block++) view.setUint32(position(block), BLOCK_ZERO, true)

  const writer = createCoalescingWriter(target)
  let open = -1
  let start = 0
  let count = 0
  return {
    bat,
    async add(loaded) {
      for (const { index, data } of loaded) {
        const offset = index * BLOCK_SIZE
        const block = Math.floor(offset / blockSize)
        if (block !== open) {
          open = block
          start = layout.payload + count * blockSize
          count++
          // The position is a multiple of 1 MiB, so the state has bits of its own.
          view.setUint32(position(block), (start % 2 ** 32) + BLOCK_FULLY_PRESENT, true)
          view.setUint32(position(block) + 4, Math.floor(start / 2 ** 32), true)
        }
        await writer.write(start + offset - block * blockSize, data)
      }
    },
    flush: () => writer.flush(),
    get count() {
      return count
    },
    get end() {
      return layout.payload + count * blockSize
    },
  }
}
