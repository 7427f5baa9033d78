import {
  alignUp,
  type ByteSink,
  type ByteSource,
  concatBytes,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
} from '@bootable/bytes'
import { createAppender } from '../blocks/append.ts'
import { findData } from '../blocks/runs.ts'
import { forEachWindow, type LoadedBlock } from '../blocks/windows.ts'
import {
  COMPRESSION_ZLIB,
  COMPRESSION_ZSTD,
  HIGH_COMPRESSED,
  HIGH_COPIED,
  INCOMPAT_COMPRESSION_TYPE,
  MAGIC,
  Qcow2Header,
  SECTOR,
  WINDOW_BITS,
} from './format.ts'
import { featureNames } from './header.ts'
import {
  type Allocator,
  CLUSTER_BITS,
  CLUSTER_SIZE,
  compressedEntry,
  createAllocator,
  L2_ENTRIES,
  REFCOUNT_ORDER,
  setEntry,
} from './layout.ts'

/** Options of {@link writeQcow2}. */
export interface WriteQcow2Options extends OperationOptions, RuntimeOptions {
  /** Compresses the clusters that become shorter by it, as `qemu-img convert -c` does. @defaultValue true */
  readonly compress?: boolean
  /**
   * What qcow2 calls zlib is headerless deflate, which every version of QEMU reads; zstd, faster and
   * smaller, needs 5.1.
   * @defaultValue 'zlib'
   */
  readonly compression?: 'zlib' | 'zstd'
  /** 1 (fast) to 9 (small), to 19 with zstd. @defaultValue as QEMU: 6 for zlib, 3 for zstd */
  readonly level?: number
  /** Clusters being compressed at a time. The bytes do not depend on it. @defaultValue 8 */
  readonly concurrency?: number
}

/** What a conversion wrote. */
export interface Qcow2Summary {
  /** Bytes of the disk, whole sectors of 512. */
  readonly size: number
  /** Bytes of the file. */
  readonly fileSize: number
  /** Clusters of 64 KiB that hold data; all others are holes and read as zero. */
  readonly clusters: number
  /** How many of them are compressed. */
  readonly compressed: number
}

/**
 * Writes a disk as a qcow2 file of version 3 with clusters of 64 KiB: the same shape as
 * `qemu-img convert`.
 *
 * Holes and zero clusters are left out; holes are not even read. The file is written from front to back,
 * the header last, so that a cut run leaves nothing that passes for an image.
 */
export async function writeQcow2(
  source: ByteSource,
  target: ByteSink,
  options: WriteQcow2Options = {},
): Promise<Qcow2Summary> {
  const { compress = true, compression = 'zlib' } = options
  const image = createImage(alignUp(source.size, SECTOR), target, compression)
  const pack = compress ? createPack(options) : undefined
  try {
    await forEachWindow(
      source,
      await findData(source),
      { ...options, id: 'qcow2', blocksPerTable: L2_ENTRIES, pack },
      image.add,
    )
    return await image.finish()
  } catch (error) {
    // No write may be under way when the caller takes the file back.
    await image.settle()
    throw error
  }
}

/** Compresses one cluster the way QEMU reads it; without result where that saves nothing. */
function createPack(options: WriteQcow2Options): (data: Uint8Array) => Promise<Uint8Array | undefined> {
  const { runtime = portableRuntime, compression } = options
  const zstd = compression === 'zstd'
  const { level = zstd ? 3 : 6 } = options
  return async (data) => {
    const packed = zstd
      ? await runtime.zstd(data, { level })
      : await runtime.deflateRaw(data, { level, windowBits: WINDOW_BITS })
    return packed.length < CLUSTER_SIZE ? packed : undefined
  }
}

interface Image {
  add(clusters: readonly LoadedBlock[]): Promise<void>
  finish(): Promise<Qcow2Summary>
  /** Waits for what is being written. */
  settle(): Promise<void>
}

function createImage(size: number, target: ByteSink, compression: 'zlib' | 'zstd'): Image {
  const output = createOutput(target)
  const { allocator } = output
  const l1 = new Uint8Array(Math.ceil(size / (CLUSTER_SIZE * L2_ENTRIES)) * 8)
  const l1View = new DataView(l1.buffer)
  let l2: { readonly index: number; readonly table: Uint8Array; readonly view: DataView } | undefined
  let written = 0
  let compressed = 0

  async function closeTable(): Promise<void> {
    if (!l2) return
    setCopied(l1View, l2.index, await output.clusters(l2.table))
    l2 = undefined
  }

  async function openTable(index: number): Promise<DataView> {
    if (l2?.index !== index) {
      await closeTable()
      const table = new Uint8Array(CLUSTER_SIZE)
      l2 = { index, table, view: new DataView(table.buffer) }
    }
    return l2?.view as DataView
  }

  return {
    async add(clusters) {
      const [first] = clusters
      if (!first) return
      const view = await openTable(Math.floor(first.index / L2_ENTRIES))
      // Compressed clusters first, packed; then the others: one gap a window instead of one a change.
      for (const { index, packed } of clusters) {
        if (!packed) continue
        const { high, low } = compressedEntry(await output.bytes(packed), packed.length)
        view.setUint32((index % L2_ENTRIES) * 8, (HIGH_COMPRESSED | high) >>> 0)
        view.setUint32((index % L2_ENTRIES) * 8 + 4, low)
        compressed++
      }
      for (const { index, data, packed } of clusters) {
        if (!packed) setCopied(view, index % L2_ENTRIES, await output.clusters(data))
      }
      written += clusters.length
    },
    async finish() {
      await closeTable()
      const l1TableOffset = l1.length > 0 ? await output.clusters(l1) : 0
      const refcounts = await output.refcounts()
      await output.flush()
      await target.truncate(allocator.end)
      const header = Qcow2Header.encode({
        magic: MAGIC,
        version: 3,
        incompatibleFeatures: compression === 'zstd' ? INCOMPAT_COMPRESSION_TYPE : 0n,
        clusterBits: CLUSTER_BITS,
        size,
        l1Size: l1.length / 8,
        l1TableOffset,
        refcountTableOffset: refcounts.offset,
        refcountTableClusters: refcounts.tableClusters,
        refcountOrder: REFCOUNT_ORDER,
        headerLength: Qcow2Header.size,
        compressionType: compression === 'zstd' ? COMPRESSION_ZSTD : COMPRESSION_ZLIB,
      })
      // The rest of the first cluster stays zero, which ends the list of header extensions.
      await target.write(0, concatBytes([header, featureNames()]))
      return { size, fileSize: allocator.end, clusters: written, compressed }
    },
    settle: () => output.flush().catch(() => {}),
  }
}

function setCopied(view: DataView, index: number, offset: number): void {
  setEntry(view, index, offset)
  view.setUint32(index * 8, (view.getUint32(index * 8) | HIGH_COPIED) >>> 0)
}

interface Output {
  readonly allocator: Allocator
  /** Both answer with the position; data that does not fill its last cluster is padded. */
  bytes(data: Uint8Array): Promise<number>
  clusters(data: Uint8Array): Promise<number>
  refcounts(): Promise<{ readonly offset: number; readonly tableClusters: number }>
  flush(): Promise<void>
}

/** The file behind its header. */
function createOutput(target: ByteSink): Output {
  const allocator = createAllocator(CLUSTER_SIZE)
  const file = createAppender(target, allocator.end)
  return {
    allocator,
    async bytes(data) {
      const offset = allocator.bytes(data.length)
      await file.put(offset, data)
      return offset
    },
    async clusters(data) {
      const offset = allocator.clusters(Math.ceil(data.length / CLUSTER_SIZE))
      await file.put(offset, data)
      return offset
    },
    async refcounts() {
      const { offset, data, tableClusters } = allocator.seal()
      await file.put(offset, data)
      return { offset, tableClusters }
    },
    flush: () => file.flush(),
  }
}
