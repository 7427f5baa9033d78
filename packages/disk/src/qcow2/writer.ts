import {
  alignUp,
  type ByteSink,
  type ByteSource,
  type CoalescingWriter,
  createCoalescingWriter,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
} from '@bootable/bytes'
import { COMPRESSION_ZLIB, HIGH_COMPRESSED, HIGH_COPIED, MAGIC, Qcow2Header, SECTOR } from './format.ts'
import { createLimit } from './in-flight.ts'
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
import { cutWindows, deflateCluster, findData, type LoadedCluster, loadWindow } from './windows.ts'

/** Options of {@link writeQcow2}. */
export interface WriteQcow2Options extends OperationOptions, RuntimeOptions {
  /**
   * Compresses the clusters that become shorter by it, as `qemu-img convert -c` does. qcow2 calls the
   * method zlib; the data is headerless deflate.
   * @defaultValue true
   */
  readonly compress?: boolean | 'zlib'
  /** 1 (fast) to 9 (small). @defaultValue 6, as QEMU */
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
  const { signal, onProgress } = options
  const runs = await findData(source)
  const total = runs.reduce((sum, run) => sum + run.count * CLUSTER_SIZE, 0)
  const image = createImage(alignUp(source.size, SECTOR), target)
  onProgress?.({ type: 'start', id: 'qcow2', label: 'qcow2', unit: 'bytes', total })
  let done = 0
  try {
    for await (const { clusters, length } of prepareWindows(source, runs, options)) {
      await image.add(clusters)
      done += length
      onProgress?.({ type: 'advance', id: 'qcow2', done, total })
    }
    signal?.throwIfAborted()
    const summary = await image.finish()
    onProgress?.({ type: 'end', id: 'qcow2' })
    return summary
  } catch (error) {
    // No write may be under way when the caller takes the file back.
    await image.settle()
    throw error
  }
}

interface PreparedWindow {
  readonly clusters: readonly LoadedCluster[]
  /** Bytes of the disk that the window stands for. */
  readonly length: number
}

/** Windows in order, each ready to be written; the next is read and compressed meanwhile. */
async function* prepareWindows(
  source: ByteSource,
  runs: Awaited<ReturnType<typeof findData>>,
  options: WriteQcow2Options,
): AsyncGenerator<PreparedWindow> {
  const { compress = true, level = 6, concurrency = 8, runtime = portableRuntime, signal } = options
  const limit = createLimit(concurrency)
  const prepare = async (window: Parameters<typeof loadWindow>[1]): Promise<PreparedWindow> => {
    const length = window.reduce((sum, run) => sum + run.count * CLUSTER_SIZE, 0)
    const clusters = await loadWindow(source, window)
    if (!compress) return { clusters, length }
    const deflate = (cluster: LoadedCluster): Promise<LoadedCluster> =>
      limit(async () => {
        signal?.throwIfAborted()
        return deflateCluster(cluster, runtime, level)
      })
    return { clusters: await Promise.all(clusters.map(deflate)), length }
  }

  let pending: Promise<PreparedWindow> | undefined
  try {
    for (const window of cutWindows(runs)) {
      signal?.throwIfAborted()
      const ready = pending
      pending = prepare(window)
      pending.catch(() => {}) // told by the await below
      if (ready) yield await ready
    }
    if (pending) yield await pending
  } finally {
    await pending?.catch(() => {})
  }
}

interface Image {
  add(clusters: readonly LoadedCluster[]): Promise<void>
  finish(): Promise<Qcow2Summary>
  /** Waits for what is being written. */
  settle(): Promise<void>
}

function createImage(size: number, target: ByteSink): Image {
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
      for (const { index, deflated } of clusters) {
        if (!deflated) continue
        const { high, low } = compressedEntry(await output.bytes(deflated), deflated.length)
        view.setUint32((index % L2_ENTRIES) * 8, (HIGH_COMPRESSED | high) >>> 0)
        view.setUint32((index % L2_ENTRIES) * 8 + 4, low)
        compressed++
      }
      for (const { index, data, deflated } of clusters) {
        if (!deflated) setCopied(view, index % L2_ENTRIES, await output.clusters(data))
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
        clusterBits: CLUSTER_BITS,
        size,
        l1Size: l1.length / 8,
        l1TableOffset,
        refcountTableOffset: refcounts.offset,
        refcountTableClusters: refcounts.tableClusters,
        refcountOrder: REFCOUNT_ORDER,
        headerLength: Qcow2Header.size,
        compressionType: COMPRESSION_ZLIB,
      })
      // The rest of the first cluster stays zero: an empty list of header extensions.
      await target.write(0, header)
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

/** The file behind its header, written without a gap so that the target sees large writes only. */
function createOutput(target: ByteSink): Output {
  const writer: CoalescingWriter = createCoalescingWriter(target)
  const allocator = createAllocator(CLUSTER_SIZE)
  const zeros = new Uint8Array(CLUSTER_SIZE)
  let position = allocator.end

  async function write(offset: number, data: Uint8Array): Promise<void> {
    if (position < offset) await writer.write(position, zeros.subarray(0, offset - position))
    await writer.write(offset, data)
    position = offset + data.length
  }

  return {
    allocator,
    async bytes(data) {
      const offset = allocator.bytes(data.length)
      await write(offset, data)
      return offset
    },
    async clusters(data) {
      const offset = allocator.clusters(Math.ceil(data.length / CLUSTER_SIZE))
      await write(offset, data)
      return offset
    },
    async refcounts() {
      const { offset, data, tableClusters } = allocator.seal()
      await write(offset, data)
      return { offset, tableClusters }
    },
    flush: () => writer.flush(),
  }
}
