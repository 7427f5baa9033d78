import {
  alignUp,
  BootableError,
  type ByteRange,
  type ByteSource,
  type GatherPiece,
  gather,
  MiB,
  type OperationOptions,
  streamSource,
  utf8,
} from '@bootable/bytes'
import { type FileTree, type RegularFile, type WalkEntry, walkTree } from '@bootable/tree'
import type { LayerErrorCode } from './limits.ts'
import { encodeTarHeader, type TarHeader } from './tar-encode.ts'
import { BLOCK_SIZE, TYPE } from './tar-format.ts'

/** Options of {@link writeLayerTar}. */
export interface WriteLayerTarOptions extends OperationOptions {
  /** Writes an entry for the root, with its attributes. @defaultValue true */
  readonly root?: boolean
  /**
   * Leaves out the holes of files (GNU sparse format 1.0). image-spec advises against it: not every engine
   * can read such a layer. @defaultValue false
   */
  readonly sparse?: boolean
}

/** Pieces smaller than this are collected; the content of a larger file passes in chunks of its own. */
const BATCH = MiB

/**
 * A tree as an uncompressed layer: sorted, without user names, PAX records where ustar is too small, hard
 * links after the first name. The same tree gives the same bytes.
 *
 * A whiteout is a file in the tree: `.wh.name`, or `.wh..wh..opq` for an opaque directory.
 *
 * @throws BootableError `LAYER_UNREPRESENTABLE` for a socket
 */
export async function* writeLayerTar(
  tree: FileTree,
  options: WriteLayerTarOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { root = true, sparse = false, signal } = options
  const batch = createBatch()
  for (const entry of walkTree(tree)) {
    signal?.throwIfAborted()
    if (entry.path === '' && !root) continue
    const header = headerOf(entry)
    const { inode, linkOf } = entry
    if (inode.type !== 'file' || linkOf !== undefined) {
      batch.add(encodeTarHeader(header))
    } else {
      const stored = sparse ? await sparseParts(inode, header) : plainParts(inode, header)
      batch.add(stored.head)
      for (const { offset, length } of stored.ranges) {
        if (length < BATCH) batch.addContent(inode.content, offset, length)
        else {
          yield await batch.take()
          yield* streamSource(inode.content, { offset, length, ...(signal && { signal }) })
        }
      }
      batch.add(new Uint8Array(stored.padding))
    }
    if (batch.length >= BATCH) yield await batch.take()
  }
  batch.add(new Uint8Array(2 * BLOCK_SIZE)) // the end of the archive
  yield await batch.take()
}

/** What precedes the content of a file, which of its bytes are stored, and the zeros after them. */
interface FileParts {
  readonly head: Uint8Array
  readonly ranges: readonly ByteRange[]
  readonly padding: number
}

function plainParts({ content }: RegularFile, header: TarHeader): FileParts {
  const { size } = content
  return {
    head: encodeTarHeader({ ...header, size }),
    ranges: [{ offset: 0, length: size }],
    padding: alignUp(size, BLOCK_SIZE) - size,
  }
}

/** GNU sparse format 1.0: the map, in decimal lines, precedes the data and counts as stored. */
async function sparseParts(file: RegularFile, header: TarHeader): Promise<FileParts> {
  const { content } = file
  const ranges: ByteRange[] = []
  let data = 0
  for await (const range of content.dataRanges?.() ?? []) {
    ranges.push(range)
    data += range.length
  }
  if (!content.dataRanges || data === content.size) return plainParts(file, header)

  // An empty stretch at the end tells readers of older formats how long the file is.
  const marked = [...ranges, { offset: content.size, length: 0 }]
  const map = utf8(
    [marked.length, ...marked.flatMap(({ offset, length }) => [offset, length]), ''].join('\n'),
  )
  const mapSize = alignUp(map.length, BLOCK_SIZE)
  const fields = encodeTarHeader({ ...header, size: mapSize + data, realSize: content.size })
  const head = new Uint8Array(fields.length + mapSize)
  head.set(fields)
  head.set(map, fields.length)
  return { head, ranges, padding: alignUp(data, BLOCK_SIZE) - data }
}

function headerOf({ path, inode, linkOf }: WalkEntry): TarHeader {
  const { mode, uid, gid, mtime, xattrs } = inode
  const header = { path, mode, uid, gid, mtime, xattrs }
  if (linkOf !== undefined) return { ...header, typeFlag: TYPE.hardlink, linkName: linkOf, xattrs: new Map() }
  switch (inode.type) {
    case 'directory':
      return { ...header, path: path === '' ? './' : `${path}/`, typeFlag: TYPE.directory }
    case 'symlink':
      return { ...header, typeFlag: TYPE.symlink, linkName: inode.target }
    case 'device': {
      const typeFlag = inode.kind === 'character' ? TYPE.character : TYPE.block
      return { ...header, typeFlag, major: inode.major, minor: inode.minor }
    }
    case 'fifo':
      return { ...header, typeFlag: TYPE.fifo }
    case 'socket':
      throw new BootableError<LayerErrorCode>(
        'LAYER_UNREPRESENTABLE',
        `/${path}: a tar cannot hold a socket`,
        {
          details: { path },
          hint: 'remove it from the tree: programs make their sockets when they start',
        },
      )
    case 'file':
      return { ...header, typeFlag: TYPE.regular }
  }
}

/** Collects headers and small contents into one chunk, whose contents are read together. */
interface Batch {
  readonly length: number
  add(data: Uint8Array): void
  addContent(source: ByteSource, offset: number, length: number): void
  take(): Promise<Uint8Array>
}

function createBatch(): Batch {
  let length = 0
  let headers: { at: number; data: Uint8Array }[] = []
  let contents: { at: number; source: ByteSource; offset: number; length: number }[] = []
  return {
    get length() {
      return length
    },
    add(data) {
      headers.push({ at: length, data })
      length += data.length
    },
    addContent(source, offset, size) {
      contents.push({ at: length, source, offset, length: size })
      length += size
    },
    async take() {
      const chunk = new Uint8Array(length)
      for (const { at, data } of headers) chunk.set(data, at)
      const pieces = contents.map(
        ({ at, source, offset, length: size }): GatherPiece => ({
          source,
          offset,
          target: chunk.subarray(at, at + size),
        }),
      )
      length = 0
      headers = []
      contents = []
      await gather(pieces)
      return chunk
    },
  }
}
