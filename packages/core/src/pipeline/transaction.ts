import type { PendingOutput } from './output.ts'

/** Makes outputs that share one fate. */
export interface Transaction {
  /** An output that gets its name at the end. */
  create(make: () => Promise<PendingOutput>): Promise<PendingOutput>
  /** One that is thrown away at the end, whatever happens. */
  scratch(make: () => Promise<PendingOutput>): Promise<PendingOutput>
  /** Runs when every file is written, before they get their names. What it gives back undoes it. */
  afterwards(step: () => Promise<() => Promise<void>>): void
}

/**
 * Writes several outputs: all of them, or none. They get their names at the very end; if one does not, those
 * that have theirs are taken back.
 */
export async function inTransaction<T>(
  work: (transaction: Transaction) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const outputs: PendingOutput[] = []
  const scratches: PendingOutput[] = []
  const steps: (() => Promise<() => Promise<void>>)[] = []
  const undo: (() => Promise<void>)[] = []
  const open = async (list: PendingOutput[], make: () => Promise<PendingOutput>): Promise<PendingOutput> => {
    const output = await make()
    list.push(output)
    return output
  }
  try {
    const result = await work({
      create: (make) => open(outputs, make),
      scratch: (make) => open(scratches, make),
      afterwards: (step) => steps.push(step),
    })
    signal?.throwIfAborted()
    // Steps read what was written, which a commit may close.
    for (const step of steps) undo.push(await step())
    for (const output of outputs) await output.commit()
    for (const scratch of scratches) await scratch.discard()
    return result
  } catch (error) {
    // What cannot be removed is not the reason why the work failed.
    const all = [...outputs, ...scratches].map((output) => output.discard())
    await Promise.allSettled([...all, ...undo.map((step) => step())])
    throw error
  }
}
