import { dirname, join } from 'node:path'
import {
  BootableError,
  createCoalescingWriter,
  MiB,
  type OperationOptions,
  type RuntimeOptions,
  streamSource,
} from '@bootable/bytes'
import { nodeRuntime, openFileSource, writeOutputFile } from '@bootable/bytes/node'
import { verifyBlob } from '../store/blob.ts'
import type { BlobSource } from '../store/store.ts'
import type { Descriptor } from '../wire/types.ts'
import { openPartialFile, type PartialFile } from './partial-file.ts'
import { writeChunks } from './write.ts'

/** Options of {@link saveBlob}. */
export interface SaveBlobOptions extends OperationOptions, RuntimeOptions {
  /** Where what has arrived waits for the rest. @defaultValue `.partial` beside the file */
  readonly partials?: string
}

/** Bytes that are worth keeping. */
const MIN_KEPT = MiB

/**
 * Downloads a blob to a file, which gets its name when it is complete and its digest is right.
 *
 * When the source fails, the call is cancelled or the process dies, what has arrived stays in the folder
 * `partials`, under a name that nothing else reads; the next call for the same digest hashes it again and
 * asks the source only for the rest. Wrong bytes are not kept, nor are blobs below 1 MiB; what nobody has
 * come back for in a week is removed.
 * @throws BootableError `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `FILE_NOT_WRITABLE`, `FILE_NO_SPACE`, and those
 *   of the source
 */
export async function saveBlob(
  source: BlobSource,
  descriptor: Descriptor,
  path: string,
  options: SaveBlobOptions = {},
): Promise<void> {
  const { partials = join(dirname(path), '.partial') } = options
  if (descriptor.size < MIN_KEPT) {
    const chunks = await openVerified(source, descriptor, undefined, options)
    await writeOutputFile(path, (file) => writeChunks(chunks, file))
    return
  }
  for (;;) {
    const partial = await openPartialFile(partials, descriptor.digest)
    try {
      await complete(partial, source, descriptor, options)
      await partial.commit(path)
      return
    } catch (error) {
      if (partial.device.size > 0 && isPassing(error, options.signal)) await partial.keep()
      else await partial.discard()
      // What was kept may be what is wrong; or the source cannot begin in the middle.
      if (partial.length === 0 || !isMismatch(error)) throw error
    }
  }
}

async function complete(
  partial: PartialFile,
  source: BlobSource,
  descriptor: Descriptor,
  options: SaveBlobOptions,
): Promise<void> {
  const { device, length: start } = partial
  const writer = createCoalescingWriter(device)
  let length = start
  try {
    for await (const chunk of await openVerified(source, descriptor, partial, options)) {
      await writer.write(length, chunk)
      length += chunk.length
    }
  } finally {
    // Also of a download that breaks: each byte of it is one less next time.
    await writer.flush()
  }
}

async function openVerified(
  source: BlobSource,
  descriptor: Descriptor,
  partial: PartialFile | undefined,
  options: SaveBlobOptions,
): Promise<AsyncIterable<Uint8Array>> {
  const { runtime = nodeRuntime, signal, onProgress } = options
  const operation = { runtime, ...(signal && { signal }), ...(onProgress && { onProgress }) }
  const offset = partial?.length ?? 0
  const opening = signal ? { offset, signal } : { offset }
  if (!partial || offset === 0) {
    const chunks = await source.open(opening)
    return source.isVerified ? chunks : verifyBlob(chunks, descriptor, operation)
  }
  const rest = offset < descriptor.size ? await source.open(opening) : nothing()
  return verifyBlob(rest, descriptor, { ...operation, offset, before: contentOf(partial) })
}

async function* contentOf({ path }: PartialFile): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await openFileSource(path)
  try {
    yield* streamSource(file)
  } finally {
    await file.close()
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}

function isMismatch(error: unknown): boolean {
  return BootableError.is(error, 'DIGEST_MISMATCH') || BootableError.is(error, 'SIZE_MISMATCH')
}

/** Whether what has arrived is good. A full disk is no place to keep it. */
function isPassing(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted) return true
  return !isMismatch(error) && !(BootableError.is(error) && error.code.startsWith('FILE_'))
}
