import {
  alignDown,
  alignUp,
  type BlockDevice,
  type ByteSource,
  checkRead,
  checkWrite,
  createRangeSet,
  sliceDevice,
} from '@bootable/bytes'
import type { SectorCipher } from './cipher.ts'
import { AREA_SECTOR } from './format.ts'

/** Where the data of a volume lies, and its cipher. */
export interface OpenSegment {
  readonly cipher: SectorCipher
  /** Bytes from the start of the device. */
  readonly offset: number
  /** Bytes: whole sectors. */
  readonly size: number
  /** Number of the first sector, in units of 512 bytes. */
  readonly ivTweak: number
}

/** Bytes that are encrypted in one go: more would only fall out of the processor's cache. */
const CHUNK = 1_048_576

/** The decrypted bytes of a segment. Holes of the source are noise here, so it tells of none. */
export function decryptedSource(source: ByteSource, segment: OpenSegment): ByteSource {
  return {
    size: segment.size,
    async read(offset, target) {
      checkRead(segment.size, offset, target.length, 'luks')
      for (let done = 0; done < target.length; ) {
        const part = target.subarray(done, done + CHUNK)
        await readSectors(source, segment, offset + done, part)
        done += part.length
      }
    },
  }
}

async function readSectors(
  source: ByteSource,
  { cipher, offset: start, ivTweak }: OpenSegment,
  offset: number,
  target: Uint8Array,
): Promise<void> {
  const first = alignDown(offset, cipher.sectorSize)
  const secret = new Uint8Array(alignUp(offset + target.length, cipher.sectorSize) - first)
  await source.read(start + first, secret)
  const plain = await cipher.run('decrypt', ivTweak + first / AREA_SECTOR, secret)
  target.set(plain.subarray(offset - first, offset - first + target.length))
}

/**
 * A segment as a device: what is written is encrypted on its way. Sectors that were never written read as
 * noise, as they will in the machine; `clear` makes them encrypted zeros. The rest of a sector that is
 * written in part for the first time is zero.
 */
export function encryptedDevice(device: BlockDevice, segment: OpenSegment): BlockDevice {
  const { cipher, size, offset: start, ivTweak } = segment
  const { sectorSize } = cipher
  const written = createRangeSet()
  const data = sliceDevice(device, start, size)
  /** Changes of partial sectors run one after the other: two of them may meet in a sector. */
  let edits: Promise<void> = Promise.resolve()

  /** Whole sectors; the next chunk is encrypted while one is being written. */
  async function writeSectors(offset: number, plain: Uint8Array): Promise<void> {
    written.add(offset, plain.length)
    let pending: Promise<void> = Promise.resolve()
    try {
      for (let done = 0; done < plain.length; done += CHUNK) {
        const part = plain.subarray(done, done + CHUNK)
        const secret = await cipher.run('encrypt', ivTweak + (offset + done) / AREA_SECTOR, part)
        await pending
        pending = data.write(offset + done, secret)
        pending.catch(() => {})
      }
    } finally {
      await pending
    }
  }

  async function editSector(offset: number, part: Uint8Array): Promise<void> {
    const first = alignDown(offset, sectorSize)
    const sector = new Uint8Array(sectorSize)
    if (written.overlaps(first, sectorSize)) await readSectors(device, segment, first, sector)
    sector.set(part, offset - first)
    await writeSectors(first, sector)
  }

  function queueEdit(offset: number, part: Uint8Array): Promise<void> {
    const edit = edits.then(() => editSector(offset, part))
    edits = edit.catch(() => {})
    return edit
  }

  const opened: BlockDevice = {
    ...decryptedSource(device, segment),
    dataRanges: () => data.dataRanges(),
    async write(offset, plain) {
      checkWrite(size, offset, plain.length)
      const end = offset + plain.length
      const from = Math.min(alignUp(offset, sectorSize), end)
      const to = Math.max(alignDown(end, sectorSize), from)
      if (offset < from) await queueEdit(offset, plain.subarray(0, from - offset))
      if (from < to) await writeSectors(from, plain.subarray(from - offset, to - offset))
      if (to < end) await queueEdit(to, plain.subarray(to - offset))
    },
    async clear(offset, length) {
      checkWrite(size, offset, length)
      const zeros = new Uint8Array(Math.min(length, 4 * CHUNK))
      for (let done = 0; done < length; done += zeros.length) {
        await opened.write(offset + done, zeros.subarray(0, Math.min(zeros.length, length - done)))
      }
    },
  }
  if (device.flush) opened.flush = async () => device.flush?.()
  return opened
}
