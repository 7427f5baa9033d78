import {
  type ByteSource,
  type GatherPiece,
  gather,
  type Hash,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
  toHex,
} from '@bootable/bytes'
import type { Checksum } from '../object/checksum.ts'
import { encodeFileHeader, type FileInode } from '../object/file.ts'

/** Options of {@link checksumFiles}. */
export interface ChecksumFilesOptions extends OperationOptions, RuntimeOptions {
  /** Checksums of inodes that are known already. New ones are added, so that a later call reads nothing. */
  readonly known?: ChecksumMemory
}

/** Checksums by inode object: a `Map` or a `WeakMap`. Whoever edits an inode takes it out. */
export interface ChecksumMemory {
  get(inode: FileInode): Checksum | undefined
  set(inode: FileInode, checksum: Checksum): unknown
}

/** Bytes that are read at once; the next window is read while one is hashed. */
const WINDOW = 4 * 1024 ** 2

/**
 * The names of file objects: SHA-256 over the header and the content of each inode.
 *
 * Contents are read once, in windows of many small files or of a part of a large one. An inode that comes
 * twice is hashed once.
 *
 * @throws BootableError `OSTREE_INVALID_XATTR`, `OSTREE_INVALID_TEXT`
 */
export async function checksumFiles(
  files: Iterable<FileInode>,
  options: ChecksumFilesOptions = {},
): Promise<Map<FileInode, Checksum>> {
  const { runtime = portableRuntime, known, signal, onProgress } = options
  const checksums = new Map<FileInode, Checksum>()
  const pending = new Set<FileInode>()
  for (const inode of files) {
    const checksum = known?.get(inode)
    if (checksum === undefined) pending.add(inode)
    else checksums.set(inode, checksum)
  }
  if (pending.size === 0) return checksums

  const total = [...pending].reduce((sum, inode) => sum + sizeOf(inode), 0)
  const id = 'checksums'
  onProgress?.({ type: 'start', id, label: 'ostree objects', unit: 'bytes', total })
  let done = 0
  let hash: Hash | undefined
  for await (const window of readWindows(inReadingOrder(pending), signal)) {
    for (const { inode, data, first, last } of window) {
      if (first) hash = runtime.createHash('sha256').update(encodeFileHeader(inode))
      if (data.length > 0) hash?.update(data)
      if (!last) continue
      const checksum = toHex((hash as Hash).digest())
      checksums.set(inode, checksum)
      known?.set(inode, checksum)
    }
    done += window.reduce((sum, { data }) => sum + data.length, 0)
    onProgress?.({ type: 'advance', id, done, total })
  }
  onProgress?.({ type: 'end', id })
  return checksums
}

/** The whole content of a file, or a part of it. */
interface Stretch {
  readonly inode: FileInode
  readonly data: Uint8Array
  readonly first: boolean
  readonly last: boolean
}

function sizeOf(inode: FileInode): number {
  return inode.type === 'file' ? inode.content.size : 0
}

/**
 * Files as their contents lie in the sources underneath, so that neighbours are read together whatever the
 * order in which they were named. Sources follow each other as they come.
 */
function inReadingOrder(files: Iterable<FileInode>): FileInode[] {
  const ranks = new Map<ByteSource, number>()
  const places = [...files].map((inode) => {
    if (inode.type === 'symlink') return { inode, rank: -1, offset: 0 }
    let source = inode.content
    let offset = 0
    for (; source.window; source = source.window.source) offset += source.window.offset
    const rank = ranks.get(source) ?? ranks.size
    ranks.set(source, rank)
    return { inode, rank, offset }
  })
  return places.sort((a, b) => a.rank - b.rank || a.offset - b.offset).map(({ inode }) => inode)
}

/** Contents in order, a window at a time; a window's bytes are gone when the next but one is asked for. */
async function* readWindows(
  files: Iterable<FileInode>,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Stretch[], void, undefined> {
  const windows = planWindows(files)
  const load = async (): Promise<readonly Stretch[] | undefined> => {
    const next = windows.next()
    if (next.done) return undefined
    await gather(next.value.pieces)
    return next.value.stretches
  }
  let pending = load()
  try {
    for (let window = await pending; window; window = await pending) {
      signal?.throwIfAborted()
      pending = load()
      yield window
    }
  } finally {
    // The read ahead must not become an unhandled rejection when the consumer stops early.
    pending.catch(() => {})
  }
}

interface Window {
  readonly stretches: Stretch[]
  readonly pieces: GatherPiece[]
}

/** Cuts contents into windows. Two buffers take turns. */
function* planWindows(files: Iterable<FileInode>): Generator<Window, void, undefined> {
  let [buffer, other] = [new Uint8Array(WINDOW), new Uint8Array(WINDOW)]
  let window: Window = { stretches: [], pieces: [] }
  let used = 0
  for (const inode of files) {
    const size = sizeOf(inode)
    let offset = 0
    do {
      const data = buffer.subarray(used, used + Math.min(size - offset, WINDOW - used))
      if (inode.type === 'file' && data.length > 0) {
        window.pieces.push({ source: inode.content, offset, target: data })
      }
      window.stretches.push({ inode, data, first: offset === 0, last: offset + data.length === size })
      offset += data.length
      used += data.length
      if (used === WINDOW) {
        yield window
        ;[buffer, other] = [other, buffer]
        window = { stretches: [], pieces: [] }
        used = 0
      }
    } while (offset < size)
  }
  if (window.stretches.length > 0) yield window
}
