/** Works on `concurrency` items at once. The first failure stops new ones and is what rejects. */
export async function forEachConcurrently<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const pending = items[Symbol.iterator]()
  let failed = false
  const worker = async (): Promise<void> => {
    for (let next = pending.next(); !next.done && !failed; next = pending.next()) {
      await work(next.value).catch((error: unknown) => {
        failed = true
        throw error
      })
    }
  }
  // All are waited for, so that nothing goes on in the background after the call has rejected.
  const results = await Promise.allSettled(Array.from({ length: Math.max(1, concurrency) }, worker))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
