import { LogRecordHeader, XLOG_HEADER_MAGIC_NUM } from './format.ts'
import { linearBlockOf, type Volume } from './volume.ts'

/** Bytes of a block of the log. */
const LOG_BLOCK = 512
/** Blocks of the longest record with its headers (`XLOG_MAX_RECORD_BSIZE`). */
const RECORD_MAX = 256 * 2 + 8
/** `XLOG_HEADER_CYCLE_SIZE`: bytes of a record that one header counts the cycles of. */
const CYCLE_SIZE = 32_768
/** `XLOG_UNMOUNT_TRANS`, in `oh_flags`. */
const UNMOUNT_TRANS = 0x20
const OP_FLAGS = 9

/**
 * Whether the last record of the log says that the filesystem was unmounted: `xlog_find_tail`, for a log
 * whose writes reached the disk in their order. Where they did not, the answer is no.
 * @throws FormatError
 */
export async function isLogClean(volume: Volume): Promise<boolean> {
  const { logStart, logBlocks, blockSize } = volume.superblock
  // A log on a device of its own cannot be looked at.
  if (logStart === 0) return false
  const start = linearBlockOf(volume, logStart, logBlocks, 'sb_logstart') * blockSize
  const count = Math.floor((logBlocks * blockSize) / LOG_BLOCK)

  async function readBlocks(first: number, blocks: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(blocks * LOG_BLOCK)
    await volume.source.read(start + first * LOG_BLOCK, bytes)
    return bytes
  }
  async function cycleOf(block: number): Promise<number> {
    return cycle(await readBlocks(block, 1))
  }

  // The log is a ring; blocks behind its head are of the cycle before, or were never written.
  const first = await cycleOf(0)
  let low = 0
  let high = count
  if ((await cycleOf(count - 1)) !== first) {
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if ((await cycleOf(middle)) === first) low = middle
      else high = middle
    }
  }
  const head = high
  const before = Math.max(0, head - RECORD_MAX)
  const near = await readBlocks(before, head - before)
  for (let block = head - 1; block >= before; block--) {
    const bytes = near.subarray((block - before) * LOG_BLOCK)
    if (new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) !== XLOG_HEADER_MAGIC_NUM) continue
    const { len, numLogops, size, version } = LogRecordHeader.read(bytes)
    const headers = version === 2 && size > CYCLE_SIZE ? Math.ceil(size / CYCLE_SIZE) : 1
    const flags = bytes[headers * LOG_BLOCK + OP_FLAGS] ?? 0
    const isLast = block + headers + Math.ceil(len / LOG_BLOCK) === head
    return isLast && numLogops === 1 && (flags & UNMOUNT_TRANS) !== 0
  }
  return false
}

/** Every block of a record starts with its cycle, the header with a magic number before it. */
function cycle(block: Uint8Array): number {
  const view = new DataView(block.buffer, block.byteOffset)
  const word = view.getUint32(0)
  return word === XLOG_HEADER_MAGIC_NUM ? view.getUint32(4) : word
}
