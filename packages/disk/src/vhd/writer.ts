import {
  alignUp,
  type ByteSink,
  type ByteSource,
  createCoalescingWriter,
  type OperationOptions,
  seededUuid,
  type Uuid,
  uuidToBytes,
} from '@bootable/bytes'
import { limitError, type OptionProblem, refuseProblems } from '../blocks/errors.ts'
import { BLOCK_SIZE, findData } from '../blocks/runs.ts'
import { forEachWindow } from '../blocks/windows.ts'
import {
  checksum,
  DISK_TYPE_FIXED,
  EPOCH,
  FEATURES_RESERVED,
  FILE_FORMAT_VERSION,
  FOOTER_COOKIE,
  Footer,
  MAX_GEOMETRY,
  NO_DATA_OFFSET,
  SECTOR,
} from './format.ts'

/** Options of {@link writeVhd}. */
export interface WriteVhdOptions extends OperationOptions {
  /** What the unique id is derived from. */
  readonly seed: string
  /** The unique id itself. @defaultValue derived from `seed` */
  readonly uuid?: Uuid
  /** When the disk was made, in seconds since 1970; the format starts in 2000. @defaultValue 2000-01-01 */
  readonly time?: number
}

/** What a conversion wrote. */
export interface VhdSummary {
  /** Bytes of the disk, whole sectors of 512. */
  readonly size: number
  /** Bytes of the file: those of the disk and a footer. */
  readonly fileSize: number
}

/** QEMU's `VHD_MAX_SECTORS` in bytes, 2040 GiB, beyond which Hyper-V and Azure take no vhd. */
const MAX_SIZE = 0xff00_0000 * SECTOR

/**
 * Writes a disk as a fixed vhd, as `qemu-img convert -O vpc -o subformat=fixed,force_size` does: its bytes and
 * a footer. Holes stay holes.
 *
 * The geometry is the largest one, so that every reader takes the exact size; the size in sectors of a
 * geometry would be another. Azure asks for whole MiB, which the size of a planned disk is.
 *
 * @throws BootableError `CONTAINER_OPTIONS_INVALID`, `CONTAINER_LIMIT` before anything is written
 */
export async function writeVhd(
  source: ByteSource,
  target: ByteSink,
  options: WriteVhdOptions,
): Promise<VhdSummary> {
  options.signal?.throwIfAborted()
  const size = alignUp(source.size, SECTOR)
  const footer = encodeFooter(size, options)
  if (size > MAX_SIZE) throw limitError('vhd', size, MAX_SIZE)

  const writer = createCoalescingWriter(target)
  try {
    const runs = await findData(source)
    await forEachWindow(source, runs, { ...options, id: 'vhd' }, async (blocks) => {
      for (const { index, data } of blocks) {
        const offset = index * BLOCK_SIZE
        await writer.write(offset, data.subarray(0, Math.min(BLOCK_SIZE, size - offset)))
      }
    })
    await writer.flush()
    await target.truncate(size + SECTOR)
    await target.write(size, footer)
    return { size, fileSize: size + SECTOR }
  } catch (error) {
    // No write may be under way when the caller takes the file back.
    await writer.flush().catch(() => {})
    throw error
  }
}

function encodeFooter(size: number, options: WriteVhdOptions): Uint8Array {
  const { seed, uuid = seededUuid(seed, 'vhd:unique-id'), time = EPOCH } = options
  const problems: OptionProblem[] = []
  let uniqueId = new Uint8Array(16)
  try {
    uniqueId = uuidToBytes(uuid).slice()
  } catch {
    problems.push({ option: 'uuid', message: `not a uuid: ${uuid}` })
  }
  const timeStamp = Math.floor(time) - EPOCH
  if (!(timeStamp >= 0 && timeStamp < 2 ** 32)) {
    problems.push({ option: 'time', message: `${time}: the format knows the years 2000 to 2136` })
  }
  refuseProblems('vhd', problems)
  const footer = Footer.encode({
    cookie: FOOTER_COOKIE,
    features: FEATURES_RESERVED,
    fileFormatVersion: FILE_FORMAT_VERSION,
    dataOffset: NO_DATA_OFFSET,
    timeStamp,
    // QEMU's name with `force_size`: readers that know it do not compute the size from the geometry.
    creatorApplication: 'qem2',
    creatorVersion: 0x0005_0003,
    creatorHostOs: 'Wi2k',
    originalSize: size,
    currentSize: size,
    ...MAX_GEOMETRY,
    diskType: DISK_TYPE_FIXED,
    uniqueId,
  })
  Footer.write(footer, 0, { checksum: checksum(footer, Footer.fields.checksum) })
  return footer
}
