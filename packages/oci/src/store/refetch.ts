import { BootableError, type OperationOptions } from '@bootable/bytes'

/**
 * Does something that reads a blob, and once more if what came had another digest than it should: damage on
 * the way is rare, and a second copy that is damaged is no accident.
 */
export async function refetchOnce<T>(options: OperationOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!BootableError.is(error, 'DIGEST_MISMATCH')) throw error
    options.signal?.throwIfAborted()
    options.onProgress?.({ type: 'warning', message: `${error.message}; it is fetched once more` })
    return work()
  }
}
