import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { checkRead } from '../io/bounds.ts'
import { checkWrite } from '../io/memory.ts'
import { createRangeSet } from '../io/ranges.ts'
import type { ByteSink } from '../io/sink.ts'
import type { BlockDevice, ByteRange, ByteSource } from '../io/source.ts'
import { fileError } from './errors.ts'

/** A source or device that holds a file descriptor until it is closed. */
export interface FileSource extends ByteSource {
  close(): Promise<void>
}

export interface FileDevice extends BlockDevice, ByteSink {
  close(): Promise<void>
}

/** A regular file for reading. @throws BootableError `FILE_NOT_READABLE` */
export async function openFileSource(path: string): Promise<FileSource> {
  // Before it is opened: that would wait for a writer where the path is a pipe.
  const info = await stat(path).catch((cause: unknown) => {
    throw fileError('FILE_NOT_READABLE', `open ${path}`, { path }, cause)
  })
  if (!info.isFile()) {
    throw fileError('FILE_NOT_READABLE', `read ${path}`, { path }, 'it is not a regular file')
  }
  const { size } = info
  const handle = await openHandle(path, constants.O_RDONLY)
  return {
    size,
    read: (offset, target) => readFully(handle, size, offset, target),
    dataRanges: () => scanForData(handle, size),
    close: () => handle.close(),
  }
}

/** Options of {@link createFileDevice}. */
export interface CreateFileDeviceOptions {
  /** Bytes of the device. @defaultValue 0; writing past it makes it longer */
  readonly size?: number
  /** Refuse a file that is there already. @defaultValue false: it is emptied first */
  readonly exclusive?: boolean
  /** Go on with what the file holds, if it is there. @defaultValue false */
  readonly keep?: boolean
}

/**
 * A new file for writing and reading back. It is sparse: only what is written takes space.
 *
 * @throws BootableError `FILE_NOT_WRITABLE`; `FILE_NO_SPACE`, also of later writes, where the disk is full
 */
export async function createFileDevice(
  path: string,
  options: CreateFileDeviceOptions = {},
): Promise<FileDevice> {
  const { exclusive = false, keep = false } = options
  const existing = exclusive ? constants.O_EXCL : keep ? 0 : constants.O_TRUNC
  const flags = constants.O_RDWR | constants.O_CREAT | existing
  const handle = await openHandle(path, flags)
  const fixed = options.size !== undefined
  const written = createRangeSet()
  const held = keep ? (await handle.stat()).size : 0
  written.add(0, held)
  const device = {
    size: options.size ?? held,
    async read(offset: number, target: Uint8Array) {
      checkRead(device.size, offset, target.length, 'file')
      const { bytesRead } = await readSome(handle, offset, target)
      target.fill(0, bytesRead)
    },
    async write(offset: number, data: Uint8Array) {
      if (fixed) checkWrite(device.size, offset, data.length)
      else device.size = Math.max(device.size, offset + data.length)
      await writeFully(handle, path, offset, data)
      written.add(offset, data.length)
    },
    async truncate(size: number) {
      await setLength(handle, path, size)
      device.size = size
    },
    async *dataRanges(): AsyncGenerator<ByteRange> {
      for (const { offset, length } of written.ranges()) {
        if (offset < device.size) yield { offset, length: Math.min(length, device.size - offset) }
      }
    },
    flush: () => handle.sync(),
    close: () => handle.close(),
  }
  try {
    if (options.size) await setLength(handle, path, options.size)
  } catch (error) {
    await handle.close()
    throw error
  }
  return device
}

async function openHandle(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags, 0o666)
  } catch (cause) {
    const writing = (flags & constants.O_CREAT) !== 0
    const [code, verb] = writing
      ? (['FILE_NOT_WRITABLE', 'write'] as const)
      : (['FILE_NOT_READABLE', 'open'] as const)
    throw fileError(code, `${verb} ${path}`, { path }, cause)
  }
}

async function setLength(handle: FileHandle, path: string, size: number): Promise<void> {
  try {
    await handle.truncate(size)
  } catch (cause) {
    throw fileError('FILE_NOT_WRITABLE', `make ${path} ${size} bytes long`, { path, size }, cause)
  }
}

async function readFully(
  handle: FileHandle,
  size: number,
  offset: number,
  target: Uint8Array,
): Promise<void> {
  checkRead(size, offset, target.length, 'file')
  const { bytesRead } = await readSome(handle, offset, target)
  // The file became shorter while it was read.
  if (bytesRead < target.length) checkRead(offset + bytesRead, offset, target.length, 'file')
}

async function readSome(
  handle: FileHandle,
  offset: number,
  target: Uint8Array,
): Promise<{ bytesRead: number }> {
  let done = 0
  while (done < target.length) {
    const { bytesRead } = await handle.read(target, done, target.length - done, offset + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return { bytesRead: done }
}

async function writeFully(handle: FileHandle, path: string, offset: number, data: Uint8Array): Promise<void> {
  try {
    for (let done = 0; done < data.length; ) {
      const { bytesWritten } = await handle.write(data, done, data.length - done, offset + done)
      done += bytesWritten
    }
  } catch (cause) {
    const details = { path, offset, length: data.length }
    throw fileError('FILE_NOT_WRITABLE', `write ${data.length} bytes at ${offset} of ${path}`, details, cause)
  }
}

const SCAN_CHUNK = 1024 * 1024
const SCAN_GRAIN = 64 * 1024
const ZEROS = Buffer.alloc(SCAN_CHUNK)

/** Node cannot ask for holes (SEEK_DATA), so zeros are looked for; reading a hole costs no disk access. */
async function* scanForData(handle: FileHandle, size: number): AsyncGenerator<ByteRange> {
  const buffer = Buffer.alloc(SCAN_CHUNK)
  // memcmp reads memory several times as fast as a loop of ours.
  const isHole = (from: number, to: number): boolean => buffer.compare(ZEROS, 0, to - from, from, to) === 0
  let start = -1
  for (let offset = 0; offset < size; offset += SCAN_CHUNK) {
    const chunk = buffer.subarray(0, Math.min(SCAN_CHUNK, size - offset))
    await readFully(handle, size, offset, chunk)
    if (start < 0 && isHole(0, chunk.length)) continue
    for (let at = 0; at < chunk.length; at += SCAN_GRAIN) {
      const hole = isHole(at, Math.min(at + SCAN_GRAIN, chunk.length))
      if (!hole && start < 0) start = offset + at
      if (hole && start >= 0) {
        yield { offset: start, length: offset + at - start }
        start = -1
      }
    }
  }
  if (start >= 0) yield { offset: start, length: size - start }
}
