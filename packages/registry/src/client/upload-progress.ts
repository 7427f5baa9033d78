import type { OperationOptions } from '@bootable/bytes'
import { type Descriptor, shortDigest } from '@bootable/oci'

/** Tells the progress of one upload, with the digest as id as downloads do. */
export interface UploadProgress {
  /** Passes chunks on; each counts when the next one is asked for, which is when it has been sent. */
  follow(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>
  /** So many bytes have arrived. What is sent again counts once. @returns whether it are more than ever */
  advance(done: number): boolean
  /** Nothing had to be moved, for this reason. */
  skip(reason: 'exists' | 'mounted'): void
  end(): void
}

let unnamed = 0

/** @param descriptor missing where the digest is not known yet */
export function uploadProgress(
  descriptor: Descriptor | undefined,
  { onProgress }: OperationOptions,
): UploadProgress {
  const id = descriptor?.digest ?? `upload ${++unnamed}`
  const label = descriptor ? `blob ${shortDigest(descriptor.digest)}` : 'blob'
  const total = descriptor && { total: descriptor.size }
  let furthest = -1

  const advance = (done: number): boolean => {
    const isNew = done > furthest
    if (furthest < 0) onProgress?.({ type: 'start', id, label, unit: 'bytes', ...total })
    if (isNew && done > 0) onProgress?.({ type: 'advance', id, done, ...total })
    furthest = Math.max(furthest, done)
    return isNew
  }
  return {
    advance,
    async *follow(chunks) {
      let done = 0
      advance(0)
      for await (const chunk of chunks) {
        yield chunk
        done += chunk.length
        advance(done)
      }
    },
    skip(reason) {
      onProgress?.({ type: 'skip', id, label: reason === 'mounted' ? `${label}, mounted` : label })
    },
    end() {
      advance(0)
      onProgress?.({ type: 'end', id })
    },
  }
}
