import { type BlockDevice, type ByteSource, memoryDevice, streamSource } from '@bootable/bytes'
import { createFileDevice } from '@bootable/bytes/node'

const MiB = 1_048_576

/** Text, noise, zeros and holes, in runs that start and end anywhere, over `size` bytes. */
export async function sampleDisk(size: number): Promise<BlockDevice> {
  const device = memoryDevice(size)
  const chunk = new Uint8Array(300_001)
  let state = 1
  for (let offset = 0, run = 0; offset + chunk.length < size; run++) {
    const kind = run % 5
    for (let index = 0; index < chunk.length; index++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      chunk[index] = kind === 0 ? 0 : kind < 3 ? 97 + ((state >>> 16) % 7) : state >>> 16
    }
    await device.write(offset, chunk)
    offset += kind === 4 ? 40 * MiB : chunk.length * ((run % 3) + 1)
  }
  // The end of the disk: the last block, and the last bytes.
  if (size >= 777) await device.write(size - 777, chunk.subarray(0, 777))
  return device
}

/** Bytes of each piece of {@link sparseDisk}. */
export const SPARSE_PIECE = 5000

/** Where the pieces of {@link sparseDisk} stand; each is filled with its place in this list, from 1 on. */
export function sparseOffsets(size: number): number[] {
  const offsets = [0, 5 * MiB + 4096, 2 ** 32 - 20_000, 2 ** 32 + 512, size - 2 * SPARSE_PIECE]
  return offsets.filter((offset) => offset + SPARSE_PIECE <= size)
}

/** A disk with little in it: some bytes near both ends, and where a table of 32 bits or of 4 GiB ends. */
export async function sparseDisk(size: number): Promise<BlockDevice> {
  const device = memoryDevice(size)
  for (const [index, offset] of sparseOffsets(size).entries()) {
    await device.write(offset, new Uint8Array(SPARSE_PIECE).fill(index + 1))
  }
  return device
}

/** The first byte of the chunk in which two sources of one size differ, −1 where they are equal. */
export async function firstDifference(a: ByteSource, b: ByteSource): Promise<number> {
  const others = streamSource(b)
  let offset = 0
  for await (const chunk of streamSource(a)) {
    const other = (await others.next()).value as Uint8Array
    if (Buffer.compare(chunk, other) !== 0) return offset
    offset += chunk.length
  }
  return -1
}

/** A device with what a source says that it has: equal to it only if its data ranges leave nothing out. */
export async function copyRanges(source: ByteSource): Promise<BlockDevice> {
  const copy = memoryDevice(source.size)
  for await (const { offset, length } of source.dataRanges?.() ?? []) {
    let position = offset
    for await (const chunk of streamSource(source, { offset, length })) {
      await copy.write(position, chunk)
      position += chunk.length
    }
  }
  return copy
}

/** Hands `write` a new file and closes it afterwards. */
export async function writeTo<T>(
  path: string,
  write: (target: Awaited<ReturnType<typeof createFileDevice>>) => Promise<T>,
): Promise<T> {
  const target = await createFileDevice(path)
  try {
    return await write(target)
  } finally {
    await target.close()
  }
}
