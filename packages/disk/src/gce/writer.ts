import {
  alignUp,
  type ByteSink,
  type ByteSource,
  concatSources,
  countStream,
  memorySource,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
  streamSparse,
  writeChunks,
  zeroSource,
} from '@bootable/bytes'
import { BLOCK } from '../tar/format.ts'
import { ARCHIVE_END, encodeTarHeader } from '../tar/header.ts'
import { MEMBER } from './format.ts'

/** Options of {@link writeGce}. */
export interface WriteGceOptions extends OperationOptions, RuntimeOptions {
  /** 1 (fast) to 9 (small). @defaultValue 6, as gzip */
  readonly level?: number
  /** Seconds since 1970 that the member bears. @defaultValue 0 */
  readonly time?: number
}

/** What was written. */
export interface GceSummary {
  /** Bytes of the disk. */
  readonly size: number
  /** Bytes of the file. */
  readonly fileSize: number
}

/**
 * Writes a disk as Google Compute Engine imports it: a gzip-compressed tar of GNU's old format with the one
 * member `disk.raw` ("Manually import a boot disk"). Holes are neither read nor compressed.
 */
export async function writeGce(
  source: ByteSource,
  target: ByteSink,
  options: WriteGceOptions = {},
): Promise<GceSummary> {
  const { runtime = portableRuntime, level = 6, time = 0 } = options
  const { size } = source
  options.signal?.throwIfAborted()
  const archive = concatSources([
    memorySource(encodeTarHeader({ name: MEMBER, size, mtime: time }, 'oldgnu')),
    source,
    zeroSource(alignUp(size, BLOCK) - size + ARCHIVE_END),
  ])
  const chunks = countStream(streamSparse(archive, options), 'gce', archive.size, options)
  return { size, fileSize: await writeChunks(target, runtime.gzip(chunks, { level })) }
}
