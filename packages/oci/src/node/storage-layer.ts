import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { BootableError, MiB, type Runtime } from '@bootable/bytes'
import type { OciErrorCode } from '../wire/errors.ts'
import type { StorageLocation } from './storage-config.ts'
import { type StorageLayer, storageError } from './storage-records.ts'
import { readTarSplit } from './tar-split.ts'

/** Options of {@link rebuildLayer}. */
export interface RebuildLayerOptions {
  readonly runtime: Runtime
  readonly signal?: AbortSignal
}

/** Bytes that are collected before they are passed on, and read from a file at once. */
const CHUNK = MiB
/** `MAXSYMLINKS` of Linux. */
const MAX_LINKS = 40

/**
 * The uncompressed tar that a layer was unpacked from, put together again from what tar-split has kept of
 * it (headers, padding, order) and the contents of the unpacked files. Owners, modes and whiteouts come
 * from the kept headers, so mapped ids and the marks of overlayfs do not matter.
 *
 * What comes out is not verified here: the caller knows the digest.
 * @throws BootableError `LAYER_UNAVAILABLE`, `STORAGE_UNAVAILABLE`; FormatError
 */
export async function* rebuildLayer(
  { driver }: StorageLocation,
  layer: StorageLayer,
  { runtime, signal }: RebuildLayerOptions,
): AsyncGenerator<Uint8Array> {
  const { id, root } = layer
  const folder = driver === 'vfs' ? join(root, 'vfs/dir', id) : join(root, 'overlay', id, 'diff')
  const record = join(root, `${driver}-layers`, `${id}.tar-split.gz`)
  const finder = createFinder(folder)
  let chunk = new Uint8Array(CHUNK)
  let filled = 0
  try {
    for await (const piece of readTarSplit(record, runtime, signal)) {
      if (piece.type === 'segment') {
        for (let start = 0; start < piece.bytes.length; ) {
          const part = piece.bytes.subarray(start, start + CHUNK - filled)
          chunk.set(part, filled)
          filled += part.length
          start += part.length
          if (filled === CHUNK) {
            yield chunk
            chunk = new Uint8Array(CHUNK)
            filled = 0
          }
        }
        continue
      }
      const { path, size } = piece
      const file = await openFile(finder, layer, path, size)
      try {
        for (let position = 0; position < size; ) {
          const wanted = Math.min(CHUNK - filled, size - position)
          const { bytesRead } = await file.read(chunk, filled, wanted, position)
          if (bytesRead === 0) throw changed(layer, path, size, position)
          filled += bytesRead
          position += bytesRead
          if (filled < CHUNK) continue
          yield chunk
          chunk = new Uint8Array(CHUNK)
          filled = 0
          signal?.throwIfAborted()
        }
      } finally {
        await file.close()
      }
    }
  } catch (cause) {
    if (
      (cause as NodeJS.ErrnoException).code === 'ENOENT' &&
      (cause as NodeJS.ErrnoException).path === record
    ) {
      throw unrecorded(layer, record)
    }
    throw storageError(record, cause)
  }
  if (filled > 0) yield chunk.subarray(0, filled)
}

async function openFile(
  finder: Finder,
  layer: StorageLayer,
  path: Buffer,
  size: number,
): Promise<FileHandle> {
  const found = await finder(path)
  if (!found) throw changed(layer, path, size, undefined)
  const file = await open(found, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (cause: NodeJS.ErrnoException) => {
      // ELOOP: it is a link now.
      if (cause.code === 'ENOENT' || cause.code === 'ELOOP') throw changed(layer, path, size, undefined)
      throw storageError(found.toString(), cause)
    },
  )
  const info: Stats = await file.stat()
  if (info.isFile() && info.size === size) return file
  await file.close()
  throw changed(layer, path, size, info.size)
}

/** Finds the unpacked file of a member; `undefined` where there is none. */
type Finder = (path: Buffer) => Promise<Buffer | undefined>

/**
 * Links in the folders on the way are followed as they were when the layer was unpacked, with the layer as
 * the root: none leads to a file of the host.
 */
function createFinder(root: string): Finder {
  const base: Buffer = Buffer.from(root)
  const folders = new Map<string, Buffer | undefined>()
  const at = (folder: Buffer, name: string): Buffer =>
    Buffer.concat([folder, Buffer.from('/'), Buffer.from(name, 'latin1')])

  async function resolve(folder: string): Promise<Buffer | undefined> {
    const pending = folder.split('/').reverse()
    const parents: Buffer[] = []
    let here: Buffer = base
    let links = 0
    while (pending.length > 0) {
      const name = pending.pop() as string
      if (name === '' || name === '.') continue
      if (name === '..') {
        here = parents.pop() ?? base
        continue
      }
      const next = at(here, name)
      const info = await lstat(next).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
        throw error
      })
      if (info?.isSymbolicLink()) {
        if (++links > MAX_LINKS) return undefined
        const target = (await readlink(next, { encoding: 'buffer' })).toString('latin1')
        if (target.startsWith('/')) {
          here = base
          parents.length = 0
        }
        pending.push(...target.split('/').reverse())
        continue
      }
      if (!info?.isDirectory()) return undefined
      parents.push(here)
      here = next
    }
    return here
  }

  return async (path) => {
    // One character for each byte, so that names need not be UTF-8.
    const names = path.toString('latin1').split('/')
    const name = names.pop() as string
    const parent = names.join('/')
    if (!folders.has(parent)) folders.set(parent, await resolve(parent))
    const folder = folders.get(parent)
    return folder && name !== '' && name !== '..' ? at(folder, name) : undefined
  }
}

function unrecorded({ id }: StorageLayer, path: string): BootableError<OciErrorCode> {
  return new BootableError('LAYER_UNAVAILABLE', `layer ${id.slice(0, 12)} has no ${path}`, {
    details: { layer: id, path },
    hint:
      'layers that were pulled in parts (zstd:chunked, composefs) are kept without the headers of their tar: ' +
      'pull the image with enable_partial_images = "false" in storage.conf, or save it with "podman save"',
  })
}

function changed(
  { id }: StorageLayer,
  path: Buffer,
  expected: number,
  actual: number | undefined,
): BootableError<OciErrorCode> {
  const shown = JSON.stringify(path.toString().slice(0, 300))
  const state = actual === undefined ? 'is not there any more' : `has ${actual} bytes, not ${expected}`
  return new BootableError('LAYER_UNAVAILABLE', `layer ${id.slice(0, 12)}: the file ${shown} ${state}`, {
    details: {
      layer: id,
      path: path.toString().slice(0, 300),
      expected,
      ...(actual !== undefined && { actual }),
    },
    hint: 'the unpacked files were changed or the image is being removed: "podman system check" tells; pull it again',
  })
}
