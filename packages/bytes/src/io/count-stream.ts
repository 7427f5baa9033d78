import type { OperationOptions } from '../progress.ts'

/**
 * Passes a stream on and tells how far it is; a signal ends it.
 * @param id for progress, its label as well
 * @param total bytes of the stream
 */
export async function* countStream(
  chunks: AsyncIterable<Uint8Array>,
  id: string,
  total: number,
  { signal, onProgress }: OperationOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  onProgress?.({ type: 'start', id, label: id, unit: 'bytes', total })
  let done = 0
  for await (const chunk of chunks) {
    signal?.throwIfAborted()
    yield chunk
    done += chunk.length
    onProgress?.({ type: 'advance', id, done, total })
  }
  onProgress?.({ type: 'end', id })
}
