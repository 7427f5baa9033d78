import {
  BootableError,
  type ByteSource,
  FormatError,
  memoryDevice,
  memorySink,
  memorySource,
  readAll,
  zeroSource,
} from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { type Qcow2Source, readQcow2, type WriteQcow2Options, writeQcow2 } from '@bootable/disk/qcow2'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const CLUSTER = 65_536
const MiB = 1_048_576

/** Bytes that deflate makes shorter (`text`) or not (`noise`); both depend on nothing but the seed. */
function content(kind: 'text' | 'noise' | 'zero', length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed + 1
  for (let index = 0; index < length && kind !== 'zero'; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[index] = kind === 'noise' ? state >>> 16 : 97 + ((index * (seed + 3)) % 23)
  }
  return bytes
}

async function convert(source: ByteSource, options: WriteQcow2Options = {}): Promise<ByteSource> {
  const sink = memorySink()
  await writeQcow2(source, sink, { runtime: nodeRuntime, ...options })
  return sink.source()
}

const open = (source: ByteSource): Promise<Qcow2Source> => readQcow2(source, { runtime: nodeRuntime })

async function disk(
  size: number,
  pieces: readonly [offset: number, data: Uint8Array][],
): Promise<ByteSource> {
  const device = memoryDevice(size)
  for (const [offset, data] of pieces) await device.write(offset, data)
  return device
}

describe('writeQcow2 and readQcow2', () => {
  test('random sparse disks come back equal, whatever the options', async () => {
    const piece = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 5 * CLUSTER })),
      kind: fc.constantFrom('text' as const, 'noise' as const, 'zero' as const),
      seed: fc.nat(99),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 * CLUSTER }),
        fc.array(piece, { maxLength: 8 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        async (length, pieces, compress, concurrency) => {
          const size = length * 512
          const placed = pieces.map(({ at, length: wanted, kind, seed }): [number, Uint8Array] => {
            const offset = Math.floor(at * (size - 1))
            return [offset, content(kind, Math.min(wanted, size - offset), seed)]
          })
          const source = await disk(size, placed)
          const image = await open(await convert(source, { compress, concurrency }))
          expect(image.size).toBe(size)
          for (const [offset, data] of placed) {
            const [expected, actual] = [new Uint8Array(data.length), new Uint8Array(data.length)]
            await source.read(offset, expected)
            await image.read(offset, actual)
            expect(Buffer.compare(actual, expected)).toBe(0)
          }
          let end = 0
          for await (const range of image.dataRanges()) {
            const gap = new Uint8Array(Math.min(range.offset - end, MiB))
            await source.read(end, gap)
            expect(gap.every((byte) => byte === 0)).toBe(true)
            end = range.offset + range.length
          }
          expect(end).toBeLessThanOrEqual(size)
        },
      ),
      { numRuns: 60 },
    )
  }, 60_000)

  test('the same disk gives the same bytes with any concurrency', async () => {
    const source = await disk(64 * MiB, [
      [0, content('text', 3 * MiB, 1)],
      [20 * MiB + 77, content('noise', 2 * MiB, 2)],
      [40 * MiB, content('text', 4 * MiB, 3)],
    ])
    const files = await Promise.all(
      [1, 3, 16].map(async (concurrency) => readAll(await convert(source, { concurrency }))),
    )
    expect(Buffer.compare(files[0]!, files[1]!)).toBe(0)
    expect(Buffer.compare(files[0]!, files[2]!)).toBe(0)
  })

  test('holes are not read, zero clusters not stored', async () => {
    const written = await disk(10 * 1024 * MiB, [
      [5 * 1024 * MiB, content('text', CLUSTER, 1)],
      [6 * 1024 * MiB, content('zero', 4 * MiB, 1)],
    ])
    let read = 0
    const source: ByteSource = {
      ...written,
      async read(offset, target) {
        read += target.length
        await written.read(offset, target)
      },
    }
    const sink = memorySink()
    const summary = await writeQcow2(source, sink, { compress: false })
    expect(read).toBe(4 * MiB + CLUSTER)
    expect(summary).toEqual({
      size: 10 * 1024 * MiB,
      clusters: 1,
      compressed: 0,
      fileSize: sink.source().size,
    })
    expect(sink.source().size).toBe(6 * CLUSTER) // header, data, L2, L1, refcount table and block
  })

  test('a source without ranges is read whole', async () => {
    const bytes = content('text', 3 * CLUSTER + 1000, 5)
    const image = await open(await convert(memorySource(bytes)))
    expect(image.size).toBe(3 * CLUSTER + 1024)
    expect(Buffer.compare((await readAll(image)).subarray(0, bytes.length), bytes)).toBe(0)
  })

  test('an empty disk', async () => {
    expect((await open(await convert(zeroSource(0)))).size).toBe(0)
    const image = await open(await convert(zeroSource(MiB)))
    expect((await readAll(image)).every((byte) => byte === 0)).toBe(true)
  })

  test('writes are large', async () => {
    const source = await disk(64 * MiB, [[0, content('text', 10 * MiB, 1)]])
    const sink = memorySink()
    const sizes: number[] = []
    await writeQcow2(
      source,
      {
        truncate: sink.truncate,
        async write(offset, data) {
          sizes.push(data.length)
          await sink.write(offset, data)
        },
      },
      { compress: false },
    )
    expect(sizes.slice(0, -2).every((size) => size >= 262_144)).toBe(true)
  })

  test('a cancelled conversion rejects with the reason and leaves no header', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const sink = memorySink()
    const source = await disk(64 * MiB, [[0, content('text', 10 * MiB, 1)]])
    const onProgress = (event: { type: string }): void => {
      if (event.type === 'advance') controller.abort(reason)
    }
    await expect(
      writeQcow2(source, sink, { runtime: nodeRuntime, onProgress, signal: controller.signal }),
    ).rejects.toBe(reason)
    await expect(open(sink.source())).rejects.toThrow(FormatError)
  })

  test('an error of the target comes through', async () => {
    const full = new BootableError('FILE_NO_SPACE', 'no space')
    const target = { write: () => Promise.reject(full), truncate: async () => {} }
    const source = await disk(64 * MiB, [[0, content('noise', 6 * MiB, 1)]])
    await expect(writeQcow2(source, target, { runtime: nodeRuntime })).rejects.toBe(full)
  })
})

describe('damaged images', () => {
  const sample = async (): Promise<Uint8Array> => {
    const source = await disk(8 * MiB, [
      [0, content('text', 3 * CLUSTER, 1)],
      [MiB, content('noise', 2 * CLUSTER, 2)],
      [5 * MiB, content('text', 1000, 3)],
    ])
    return readAll(await convert(source))
  }

  /** Reads all that an image has to give; answers with the error, if there is one. */
  async function exhaust(bytes: Uint8Array): Promise<unknown> {
    try {
      const image = await open(memorySource(bytes))
      if (image.size > 64 * MiB) return undefined
      for await (const _ of image.dataRanges());
      await readAll(image)
      return undefined
    } catch (error) {
      return error
    }
  }

  test('truncations end in FormatError', async () => {
    const bytes = await sample()
    // Behind the L1 table stand only the refcounts, which a reader does not need.
    const end = Number(new DataView(bytes.buffer).getBigUint64(0x28)) + 8
    for (let length = 0; length < end; length += length < 200 ? 1 : 4093) {
      const error = await exhaust(bytes.subarray(0, length))
      expect(error, `${length} bytes`).toBeInstanceOf(FormatError)
    }
  })

  test('flipped bits end in FormatError or in an image that can be read', async () => {
    const bytes = await sample()
    const header = fc.integer({ min: 0, max: 112 * 8 - 1 })
    const anywhere = fc.integer({ min: 0, max: bytes.length * 8 - 1 })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(header, anywhere), { minLength: 1, maxLength: 4 }), async (bits) => {
        const damaged = bytes.slice()
        for (const bit of bits) damaged[bit >> 3]! ^= 1 << (bit & 7)
        const error = await exhaust(damaged)
        if (error !== undefined) expect(error).toBeInstanceOf(FormatError)
      }),
      { numRuns: 200 },
    )
  })

  const refusals: [what: string, offset: number, value: number, code: string][] = [
    ['another magic', 0x03, 0, 'FORMAT_INVALID'],
    ['version 4', 0x07, 4, 'FORMAT_UNSUPPORTED'],
    ['a backing file', 0x0e, 1, 'FORMAT_UNSUPPORTED'],
    ['clusters of 256 bytes', 0x17, 8, 'FORMAT_INVALID'],
    ['clusters of 4 MiB', 0x17, 22, 'FORMAT_INVALID'],
    ['a size above 2^53', 0x18, 0x80, 'FORMAT_INVALID'],
    ['a size that L1 does not cover', 0x1b, 1, 'FORMAT_INVALID'],
    ['encryption', 0x23, 2, 'FORMAT_UNSUPPORTED'],
    ['an L1 table outside', 0x2a, 1, 'FORMAT_TRUNCATED'],
    ['an L1 table inside a cluster', 0x2f, 8, 'FORMAT_INVALID'],
    ['the corrupt bit', 0x4f, 2, 'FORMAT_UNSUPPORTED'],
    ['external data', 0x4f, 4, 'FORMAT_UNSUPPORTED'],
    ['extended L2 entries', 0x4f, 16, 'FORMAT_UNSUPPORTED'],
    ['a short header', 0x67, 80, 'FORMAT_INVALID'],
    ['another compression', 0x68, 2, 'FORMAT_UNSUPPORTED'],
    ['zstd without its bit', 0x68, 1, 'FORMAT_INVALID'],
  ]
  test.each(refusals)('%s is refused', async (_, offset, value, code) => {
    const bytes = await sample()
    bytes[offset] = value
    const error = await exhaust(bytes)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as FormatError).code).toBe(code)
  })

  test('one L2 table under two entries is refused', async () => {
    const source = await disk(1024 * MiB, [[0, content('text', CLUSTER, 1)]])
    const bytes = await readAll(await convert(source))
    const l1 = Number(new DataView(bytes.buffer).getBigUint64(0x28))
    bytes.copyWithin(l1 + 8, l1, l1 + 8)
    await expect(open(memorySource(bytes))).rejects.toThrow(/used twice/)
  })
})
