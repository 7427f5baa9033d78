import {
  BootableError,
  type ByteSink,
  type ByteSource,
  equalBytes,
  FormatError,
  isZero,
  memorySink,
  memorySource,
  type OperationOptions,
  readAll,
  zeroSource,
} from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { readQcow2, writeQcow2 } from '@bootable/disk/qcow2'
import { readVhd, writeVhd } from '@bootable/disk/vhd'
import { readVhdx, writeVhdx } from '@bootable/disk/vhdx'
import { readVmdk, writeVmdk } from '@bootable/disk/vmdk'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BLOCK, content, disk, exhaust, MiB, written } from './samples.ts'

interface Subject {
  write(
    source: ByteSource,
    target: ByteSink,
    options?: OperationOptions & { readonly concurrency?: number },
  ): Promise<unknown>
  open(source: ByteSource): Promise<ByteSource>
  /** Bytes at the end of a file that a reader can do without. */
  readonly spare: number
}

const runtime = nodeRuntime
const subjects: Record<string, Subject> = {
  'qcow2, plain': {
    write: (source, target, options) => writeQcow2(source, target, { compress: false, ...options }),
    open: (source) => readQcow2(source),
    spare: 3 * BLOCK - 8, // refcounts, and behind the one entry of L1
  },
  'qcow2, zlib': {
    write: (source, target, options) => writeQcow2(source, target, { runtime, ...options }),
    open: (source) => readQcow2(source, { runtime }),
    spare: 3 * BLOCK - 8,
  },
  'qcow2, zstd': {
    write: (source, target, options) =>
      writeQcow2(source, target, { runtime, compression: 'zstd', ...options }),
    open: (source) => readQcow2(source, { runtime }),
    spare: 3 * BLOCK - 8,
  },
  vmdk: {
    write: (source, target, options) => writeVmdk(source, target, { runtime, seed: 'lab', ...options }),
    open: (source) => readVmdk(source, { runtime }),
    spare: 511, // padding of the last sector
  },
  vhd: {
    write: (source, target, options) => writeVhd(source, target, { seed: 'lab', ...options }),
    open: (source) => readVhd(source),
    spare: 0,
  },
  vhdx: {
    write: (source, target, options) => writeVhdx(source, target, { seed: 'lab', ...options }),
    open: (source) => readVhdx(source),
    spare: 0,
  },
}

describe.each(Object.entries(subjects))('%s', (name, { write, open, spare }) => {
  const convert = (source: ByteSource, options?: Parameters<typeof write>[2]): Promise<ByteSource> =>
    written((target) => write(source, target, options))

  test('random sparse disks come back equal', async () => {
    const piece = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 5 * BLOCK })),
      kind: fc.constantFrom('text' as const, 'noise' as const, 'zero' as const),
      seed: fc.nat(99),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 * BLOCK }),
        fc.array(piece, { maxLength: 8 }),
        fc.integer({ min: 1, max: 9 }),
        async (sectors, pieces, concurrency) => {
          const size = sectors * 512
          const placed = pieces.map(({ at, length: wanted, kind, seed }): [number, Uint8Array] => {
            const offset = Math.floor(at * (size - 1))
            return [offset, content(kind, Math.min(wanted, size - offset), seed)]
          })
          const source = await disk(size, placed)
          const image = await open(await convert(source, { concurrency }))
          expect(image.size).toBe(size)
          for (const [offset, data] of placed) {
            const [expected, actual] = [new Uint8Array(data.length), new Uint8Array(data.length)]
            await source.read(offset, expected)
            await image.read(offset, actual)
            expect(equalBytes(actual, expected)).toBe(true)
          }
          let end = 0
          for await (const range of image.dataRanges?.() ?? [{ offset: 0, length: size }]) {
            const gap = new Uint8Array(Math.min(range.offset - end, MiB))
            await source.read(end, gap)
            expect(isZero(gap)).toBe(true)
            end = range.offset + range.length
          }
          expect(end).toBeLessThanOrEqual(size)
        },
      ),
      { numRuns: 25 },
    )
  }, 60_000)

  test('the same disk gives the same bytes with any concurrency', async () => {
    const source = await disk(24 * MiB, [
      [0, content('text', MiB, 1)],
      [8 * MiB + 77, content('noise', MiB, 2)],
      [20 * MiB, content('text', MiB, 3)],
    ])
    const files = await Promise.all(
      [1, 3, 16].map(async (concurrency) => readAll(await convert(source, { concurrency }))),
    )
    for (const file of files) expect(equalBytes(file, files[0] as Uint8Array)).toBe(true)
  })

  test('holes are not read, and large disks take no time', async () => {
    const sparse = await disk(500 * 1024 * MiB, [
      [50 * 1024 * MiB, content('text', BLOCK, 1)],
      [300 * 1024 * MiB, content('zero', 4 * MiB, 1)],
    ])
    let read = 0
    const source: ByteSource = {
      ...sparse,
      async read(offset, target) {
        read += target.length
        await sparse.read(offset, target)
      },
    }
    const image = await open(await convert(source))
    expect(read).toBe(4 * MiB + BLOCK)
    const data = new Uint8Array(BLOCK)
    await image.read(50 * 1024 * MiB, data)
    expect(equalBytes(data, content('text', BLOCK, 1))).toBe(true)
    await image.read(300 * 1024 * MiB, data)
    expect(isZero(data)).toBe(true)
  })

  test('a source without ranges, of an odd length, is read whole', async () => {
    const bytes = content('text', 3 * BLOCK + 1000, 5)
    const image = await open(await convert(memorySource(bytes)))
    expect(image.size).toBe(3 * BLOCK + 1024)
    const all = await readAll(image)
    expect(equalBytes(all.subarray(0, bytes.length), bytes)).toBe(true)
    expect(isZero(all.subarray(bytes.length))).toBe(true)
  })

  test('empty disks', async () => {
    const image = await open(await convert(zeroSource(MiB)))
    expect(isZero(await readAll(image))).toBe(true)
    expect((await open(await convert(zeroSource(0)))).size).toBe(0)
  })

  test('data is written in large pieces', async () => {
    const source = await disk(64 * MiB, [[0, content('noise', 3 * MiB, 1)]])
    const sink = memorySink()
    const sizes: number[] = []
    await write(source, {
      truncate: sink.truncate,
      async write(offset, data) {
        sizes.push(data.length)
        await sink.write(offset, data)
      },
    })
    // The last of the data, tables and headers are what they are.
    expect(sizes.filter((size) => size < 262_144).length).toBeLessThanOrEqual(6)
  })

  test('a cancelled conversion rejects with the reason and leaves no image', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const sink = memorySink()
    const source = await disk(64 * MiB, [[0, content('text', 9 * MiB, 1)]])
    const onProgress = (event: { type: string }): void => {
      if (event.type === 'advance') controller.abort(reason)
    }
    await expect(write(source, sink, { onProgress, signal: controller.signal })).rejects.toBe(reason)
    await expect(open(sink.source())).rejects.toThrow(FormatError)
  })

  test('an error of the target comes through', async () => {
    const full = new BootableError('FILE_NO_SPACE', 'no space')
    const target = { write: () => Promise.reject(full), truncate: async () => {} }
    const source = await disk(64 * MiB, [[0, content('noise', MiB + 1, 1)]])
    await expect(write(source, target)).rejects.toBe(full)
  })

  describe('damaged', () => {
    const sample = async (): Promise<Uint8Array> =>
      readAll(
        await convert(
          await disk(8 * MiB, [
            [0, content('text', 3 * BLOCK, 1)],
            [MiB, content('noise', 2 * BLOCK, 2)],
            [8 * MiB - 1000, content('noise', 1000, 3)],
          ]),
        ),
      )

    test('truncations end in FormatError', async () => {
      const bytes = await sample()
      const step = Math.ceil(bytes.length / 150)
      for (let length = 0; length < bytes.length - spare; length += length < 200 ? 7 : step) {
        const error = await exhaust(bytes.subarray(0, length), open)
        expect(error, `${length} bytes`).toBeInstanceOf(FormatError)
      }
      const error = await exhaust(bytes.subarray(0, bytes.length - spare - 1), open)
      expect(error).toBeInstanceOf(FormatError)
    })

    test('flipped bits end in FormatError or in an image that can be read', async () => {
      const bytes = await sample()
      // What is not zero are the structures, and the data behind them.
      const used: number[] = []
      for (let at = 0; at < bytes.length && used.length < 4000; at++) if (bytes[at] !== 0) used.push(at)
      for (let at = bytes.length - 512; at < bytes.length; at++) if (bytes[at] !== 0) used.push(at)
      const place = fc.oneof(fc.constantFrom(...used), fc.nat(bytes.length - 1))
      const flip = fc.tuple(place, fc.nat(7))
      await fc.assert(
        fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 4 }), async (flips) => {
          const damaged = bytes.slice()
          for (const [at, bit] of flips) damaged[at] = (damaged[at] as number) ^ (1 << bit)
          const error = await exhaust(damaged, open)
          if (error !== undefined) expect(error, name).toBeInstanceOf(FormatError)
        }),
        { numRuns: 40 },
      )
    })
  })
})
