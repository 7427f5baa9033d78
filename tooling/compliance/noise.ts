import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BlockDevice } from '@bootable/bytes'
import { createRangeSet, MiB, memoryDevice } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { createTree } from '@bootable/tree'
import * as fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { differences, type FilesystemSubject, saveDevice } from './filesystem.ts'
import { arbitraryTree, expectedTree, holdable, patternBytes } from './trees.ts'

/**
 * A device that answers with noise where nothing was written and nothing was cleared, as an encrypted
 * volume does whose space was never written. What a writer leaves to chance shows on it.
 */
export function noiseDevice(size: number): BlockDevice {
  const known = memoryDevice(size)
  const ranges = createRangeSet()

  return {
    size,
    async read(offset, target) {
      await known.read(offset, target)
      const end = offset + target.length
      let position = offset
      for (const { offset: start, length } of [...ranges.ranges(), { offset: size, length: 0 }]) {
        while (position < Math.min(start, end)) {
          const from = position % NOISE.length
          const part = NOISE.subarray(from, from + Math.min(start, end) - position)
          target.set(part, position - offset)
          position += part.length
        }
        position = Math.max(position, start + length)
        if (position >= end) break
      }
    },
    async write(offset, data) {
      await known.write(offset, data)
      ranges.add(offset, data.length)
    },
    async clear(offset, length) {
      ranges.add(offset, length)
    },
    // All of it: a copy of the device must have the noise as well.
    async *dataRanges() {
      yield { offset: 0, length: size }
    },
  }
}

const NOISE = patternBytes(MiB, 77)

/**
 * What the compliance suite asks of a filesystem, on a device of noise: its writer must write or clear
 * whatever its reader and its checker look at.
 */
export function noiseCompliance(subject: FilesystemSubject): void {
  const { name, limits } = subject

  describe(`${name} on a device of noise`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'bootable-noise-'))
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    async function judge(given: FileTree, room: number): Promise<void> {
      const tree = holdable(given, limits)
      const device = noiseDevice(subject.measure(tree) + room)
      await subject.write(tree, device)
      expect(await differences(expectedTree(tree, limits), await subject.read(device))).toEqual([])
      if (!subject.check) return
      const path = join(folder, 'image')
      await saveDevice(device, path)
      expect(await subject.check(path)).toEqual([])
    }

    test('an empty tree in 140 MiB', () => judge(createTree(), 140 * MiB))

    test('random trees', async () => {
      const room = fc.constantFrom(0, MiB, 8 * MiB)
      await fc.assert(fc.asyncProperty(arbitraryTree(limits), room, judge), { numRuns: 12 })
    })
  })
}
