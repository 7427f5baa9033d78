import { rm } from 'node:fs/promises'
import { type ByteSource, concatBytes, KiB } from '@bootable/bytes'
import { createFileDevice } from '@bootable/bytes/node'

/** An uncompressed layer that is being written to a file of its own, and read from it afterwards. */
export interface LayerFile {
  write(chunk: Uint8Array): Promise<void> | undefined
  /** Waits for the last write. The file stays open for reading. */
  finish(): Promise<ByteSource & { close(): Promise<void> }>
  /** Closes and removes the file. */
  discard(): Promise<void>
}

/** Smaller chunks are copied together and written as one. */
const MIN_WRITE = 256 * KiB
/** A chunk of this size is worth a write of its own rather than a copy. */
const LARGE = 128 * KiB

/** @throws BootableError `FILE_NOT_WRITABLE`; writes reject with `FILE_NO_SPACE` on a full disk */
export async function createLayerFile(path: string): Promise<LayerFile> {
  const device = await createFileDevice(path, { exclusive: true })
  let parts: Uint8Array[] = []
  let length = 0
  let offset = 0
  let writing: Promise<void> | undefined

  /** One write runs while the caller makes the next chunk; a second one waits behind it. */
  function writeParts(): Promise<void> | undefined {
    const [only] = parts
    if (!only) return writing
    const data = parts.length === 1 ? only : concatBytes(parts)
    const at = offset
    const previous = writing
    offset += length
    parts = []
    length = 0
    writing = previous ? previous.then(() => device.write(at, data)) : device.write(at, data)
    writing.catch(() => {})
    return previous
  }

  return {
    write(chunk) {
      if (chunk.length >= LARGE) void writeParts()
      parts.push(chunk)
      length += chunk.length
      return length < MIN_WRITE && chunk.length < LARGE ? undefined : writeParts()
    },
    async finish() {
      await writeParts()
      await writing
      // A tar has no holes worth finding, and looking for them would read all of it for each file.
      return { size: offset, read: device.read, close: device.close }
    },
    async discard() {
      await writing?.catch(() => {})
      await device.close()
      await rm(path, { force: true })
    },
  }
}
