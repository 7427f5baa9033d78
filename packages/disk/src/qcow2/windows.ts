import { type ByteSource, gather, isZero, type Runtime } from '@bootable/bytes'
import { WINDOW_BITS } from './format.ts'
import { CLUSTER_SIZE, L2_ENTRIES } from './layout.ts'

/** Neighbouring clusters of the disk. */
export interface ClusterRun {
  readonly first: number
  readonly count: number
}

/** A cluster of the disk that is not zero, and its compressed form where that is shorter. */
export interface LoadedCluster {
  readonly index: number
  readonly data: Uint8Array
  readonly deflated?: Uint8Array
}

/**
 * Clusters that are in memory together: 4 MiB. Two windows are alive at a time, one being written and
 * one being read and compressed; that is all the memory a conversion takes, whatever the disk's size.
 */
const WINDOW_CLUSTERS = 64

/** The clusters in which a source has data, ascending, neighbours joined. */
export async function findData(source: ByteSource): Promise<ClusterRun[]> {
  const whole = [{ offset: 0, length: source.size }]
  const runs: { first: number; count: number }[] = []
  for await (const { offset, length } of source.dataRanges?.() ?? whole) {
    if (length === 0) continue
    const last = runs[runs.length - 1]
    const next = last ? last.first + last.count : 0
    const first = Math.max(next, Math.floor(offset / CLUSTER_SIZE))
    const end = Math.ceil((offset + length) / CLUSTER_SIZE)
    if (end <= first) continue
    if (last && first === next) last.count += end - first
    else runs.push({ first, count: end - first })
  }
  return runs
}

/** Cuts runs into windows, none of which reaches into a second L2 table. */
export function* cutWindows(runs: readonly ClusterRun[]): Generator<ClusterRun[]> {
  let window: ClusterRun[] = []
  let room = WINDOW_CLUSTERS
  for (const run of runs) {
    const end = run.first + run.count
    for (let first = run.first; first < end; ) {
      const table = Math.floor(first / L2_ENTRIES)
      const begun = window[0]
      if (begun && (room === 0 || Math.floor(begun.first / L2_ENTRIES) !== table)) {
        yield window
        window = []
        room = WINDOW_CLUSTERS
      }
      const count = Math.min(room, end - first, (table + 1) * L2_ENTRIES - first)
      window.push({ first, count })
      room -= count
      first += count
    }
  }
  if (window.length > 0) yield window
}

/** Reads a window with few reads, drops what is zero, and pads a last cluster that the disk cuts short. */
export async function loadWindow(
  source: ByteSource,
  window: readonly ClusterRun[],
): Promise<LoadedCluster[]> {
  const total = window.reduce((sum, run) => sum + run.count, 0)
  const buffer = new Uint8Array(total * CLUSTER_SIZE)
  const pieces: { source: ByteSource; offset: number; target: Uint8Array }[] = []
  const clusters: LoadedCluster[] = []
  let at = 0
  for (const { first, count } of window) {
    const offset = first * CLUSTER_SIZE
    const length = Math.min(count * CLUSTER_SIZE, source.size - offset)
    pieces.push({ source, offset, target: buffer.subarray(at, at + length) })
    for (let index = first; index < first + count; index++, at += CLUSTER_SIZE) {
      clusters.push({ index, data: buffer.subarray(at, at + CLUSTER_SIZE) })
    }
  }
  await gather(pieces)
  return clusters.filter(({ data }) => !isZero(data))
}

/** Compresses one cluster the way QEMU reads it; without result where that saves nothing. */
export async function deflateCluster(
  cluster: LoadedCluster,
  runtime: Runtime,
  level: number,
): Promise<LoadedCluster> {
  const deflated = await runtime.deflateRaw(cluster.data, { level, windowBits: WINDOW_BITS })
  return deflated.length < CLUSTER_SIZE ? { ...cluster, deflated } : cluster
}
