import { BootableError, type ByteSource, MiB, memorySource, streamSource } from '@bootable/bytes'
import { type FileTree, walkTree } from '@bootable/tree'
import * as fc from 'fast-check'
import { expect } from 'vitest'

/** Options of {@link expectDamageToBeFound}. */
export interface DamageOptions {
  /** Bytes from the start on that are damaged. @defaultValue all */
  readonly within?: number
  /** @defaultValue 30 */
  readonly runs?: number
}

/**
 * Damages an image in many ways, and expects of a reader a `FormatError` or a tree whose files can be read,
 * never anything else; of an image that ends early, an error.
 */
export async function expectDamageToBeFound(
  whole: Uint8Array,
  read: (source: ByteSource) => Promise<FileTree>,
  { within = whole.length, runs = 30 }: DamageOptions = {},
): Promise<void> {
  const busy: number[] = []
  for (let at = 0; at < within; at++) if (whole[at] !== 0) busy.push(at)
  const damage = fc.array(fc.tuple(fc.nat(busy.length - 1), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 40,
  })
  await fc.assert(
    fc.asyncProperty(damage, async (flips) => {
      const bytes = whole.slice()
      for (const [index, value] of flips) bytes[busy[index] as number] = value
      await readEverything(() => read(memorySource(bytes)))
    }),
    { numRuns: runs },
  )
  for (let length = 0; length < whole.length; length += Math.ceil(whole.length / 16)) {
    const cut = memorySource(whole.subarray(0, length))
    await expect(
      readEverything(() => read(cut), true),
      `the first ${length} bytes`,
    ).rejects.toThrow()
  }
}

async function readEverything(read: () => Promise<FileTree>, isStrict = false): Promise<void> {
  try {
    const tree = await read()
    for (const { inode } of walkTree(tree)) {
      if (inode.type !== 'file' || inode.content.size > 64 * MiB) continue
      for await (const chunk of streamSource(inode.content)) expect(chunk.length).toBeGreaterThan(0)
    }
  } catch (error) {
    expect(BootableError.is(error) && error.code, String(error)).toMatch(/^FORMAT_/)
    if (isStrict) throw error
  }
}
