/** Keeps the results of the latest calls; equal keys share one call, also while it runs. */
export interface PromiseCache<T> {
  get(key: number, load: () => Promise<T>): Promise<T>
}

/** @param capacity results kept; the one that was asked for least recently goes first */
export function createPromiseCache<T>(capacity: number): PromiseCache<T> {
  const entries = new Map<number, Promise<T>>()
  return {
    get(key, load) {
      const known = entries.get(key)
      const entry = known ?? load()
      if (known) entries.delete(key)
      entries.set(key, entry)
      if (!known) {
        // A failure is told to those who wait for it and then forgotten.
        entry.catch(() => entries.delete(key))
        if (entries.size > capacity) entries.delete(entries.keys().next().value as number)
      }
      return entry
    },
  }
}
