import type { BlockDevice, ByteSource } from '@bootable/bytes'
import {
  BootableError,
  createCoalescingWriter,
  createRangeSet,
  equalBytes,
  FormatError,
  gather,
  isZero,
  memoryDevice,
  memorySink,
  memorySource,
  sliceDevice,
  sliceSource,
  sparseSource,
  streamSource,
  zeroSource,
} from '@bootable/bytes'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const pattern = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => ((index + seed) * 2654435761) >>> 24)

async function ranges(source: ByteSource): Promise<[number, number][]> {
  const list: [number, number][] = []
  for await (const { offset, length } of source.dataRanges?.() ?? []) list.push([offset, length])
  return list
}

describe('memoryDevice', () => {
  it('reads back what was written, over page borders, and zero elsewhere', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(300_000), fc.integer({ min: 1, max: 80_000 })), { maxLength: 6 }),
        async (writes) => {
          const size = 400_000
          const device = memoryDevice(size)
          const model = new Uint8Array(size)
          const touched = new Uint8Array(size)
          for (const [index, [offset, length]] of writes.entries()) {
            const data = pattern(length, index).subarray(0, size - offset)
            await device.write(offset, data)
            model.set(data, offset)
            touched.fill(1, offset, offset + data.length)
          }
          const all = new Uint8Array(size)
          await device.read(0, all)
          expect(equalBytes(all, model)).toBe(true)
          const covered = new Uint8Array(size)
          for (const [offset, length] of await ranges(device)) covered.fill(1, offset, offset + length)
          expect(equalBytes(covered, touched)).toBe(true)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('refuses to write past its end', async () => {
    const attempt = memoryDevice(10).write(8, new Uint8Array(3))
    await expect(attempt).rejects.toMatchObject({ code: 'DEVICE_OUT_OF_BOUNDS', details: { size: 10 } })
  })
})

describe('slices', () => {
  it('move offsets, clip ranges and refuse what lies outside', async () => {
    const device = memoryDevice(1000)
    const slice = sliceDevice(device, 100, 200)
    await slice.write(50, pattern(20))
    await device.write(290, pattern(30))
    const target = new Uint8Array(20)
    await device.read(150, target)
    expect(target).toEqual(pattern(20))
    expect(await ranges(slice)).toEqual([
      [50, 20],
      [190, 10],
    ])
    await expect(slice.read(190, new Uint8Array(11))).rejects.toBeInstanceOf(FormatError)
    await expect(slice.write(199, new Uint8Array(2))).rejects.toSatisfy((error) => BootableError.is(error))
    expect(() => sliceSource(device, 999, 2)).toThrow(FormatError)
  })
})

describe('sparseSource', () => {
  it('reads holes as zero', async () => {
    const data = memorySource(pattern(100))
    const source = sparseSource(10_000, [
      { offset: 10, length: 20, source: data, sourceOffset: 5 },
      { offset: 9_000, length: 30, source: data, sourceOffset: 50 },
    ])
    const all = new Uint8Array(10_000)
    await source.read(0, all)
    const expected = new Uint8Array(10_000)
    expected.set(pattern(100).subarray(5, 25), 10)
    expected.set(pattern(100).subarray(50, 80), 9_000)
    expect(all).toEqual(expected)
    expect(await ranges(source)).toEqual([
      [10, 20],
      [9_000, 30],
    ])
  })
})

describe('gather', () => {
  it('fills every target and reads neighbours together', async () => {
    const bytes = pattern(3_000_000)
    let reads = 0
    const root: ByteSource = {
      size: bytes.length,
      async read(offset, target) {
        reads++
        target.set(bytes.subarray(offset, offset + target.length))
      },
    }
    const files = Array.from({ length: 500 }, (_, index) => sliceSource(root, index * 6000, 5000 - index))
    const pieces = files.toReversed().map((source) => ({ source, offset: 7, target: new Uint8Array(100) }))
    await gather(pieces)
    for (const [index, piece] of pieces.toReversed().entries()) {
      expect(piece.target).toEqual(bytes.slice(index * 6000 + 7, index * 6000 + 107))
    }
    expect(reads).toBe(1)
  })

  it('reads overlapping pieces of several sources', async () => {
    const [one, two] = [memorySource(pattern(1000, 1)), memorySource(pattern(1000, 2))]
    const pieces = [
      { source: sliceSource(one, 10, 500), offset: 0, target: new Uint8Array(500) },
      { source: one, offset: 100, target: new Uint8Array(20) },
      { source: two, offset: 0, target: new Uint8Array(1000) },
      { source: two, offset: 5, target: new Uint8Array(0) },
    ]
    await gather(pieces)
    expect(pieces[0]?.target).toEqual(pattern(1000, 1).slice(10, 510))
    expect(pieces[1]?.target).toEqual(pattern(1000, 1).slice(100, 120))
    expect(pieces[2]?.target).toEqual(pattern(1000, 2))
  })
})

describe('createRangeSet', () => {
  it('joins what touches', () => {
    const set = createRangeSet()
    set.add(10, 5)
    set.add(0, 5)
    set.add(20, 5)
    set.add(5, 5)
    set.add(15, 5)
    set.add(40, 0)
    expect(set.ranges()).toEqual([{ offset: 0, length: 25 }])
  })

  it('tells what overlaps', () => {
    const set = createRangeSet()
    for (const offset of [10, 30, 50]) set.add(offset, 5)
    for (let offset = 0; offset < 60; offset++) {
      for (const length of [0, 1, 4, 20]) {
        const expected = set
          .ranges()
          .some((range) => offset < range.offset + 5 && range.offset < offset + length)
        expect({ offset, length, found: set.overlaps(offset, length) }).toEqual({
          offset,
          length,
          found: expected && length > 0,
        })
      }
    }
  })
})

describe('createCoalescingWriter', () => {
  it('turns many small writes into few large ones', async () => {
    const device = memoryDevice(1_000_000)
    const sizes: number[] = []
    const counting: BlockDevice = {
      ...device,
      async write(offset, data) {
        sizes.push(data.length)
        await device.write(offset, data)
      },
    }
    const writer = createCoalescingWriter(counting, 4096)
    for (let index = 0; index < 100; index++) await writer.write(index * 100, pattern(100, index))
    await writer.write(50_000, pattern(10_000, 7))
    await writer.write(60_000, pattern(10, 8))
    await writer.flush()
    const back = new Uint8Array(10_000)
    await device.read(0, back)
    for (let index = 0; index < 100; index++) {
      expect(back.slice(index * 100, index * 100 + 100)).toEqual(pattern(100, index))
    }
    await device.read(50_000, back)
    expect(back).toEqual(pattern(10_000, 7))
    expect(sizes).toEqual([4000, 4000, 2000, 10_000, 10])
  })

  it('passes on what the device says', async () => {
    const failing: BlockDevice = { ...memoryDevice(100), write: () => Promise.reject(new Error('full')) }
    const writer = createCoalescingWriter(failing, 16)
    await writer.write(0, new Uint8Array(10))
    await expect(writer.flush()).rejects.toThrow('full')
  })
})

describe('streamSource', () => {
  it('gives the bytes in order and stops when told', async () => {
    const chunks: Uint8Array[] = []
    for await (const chunk of streamSource(memorySource(pattern(1000)), { offset: 3, chunkSize: 300 })) {
      chunks.push(chunk)
    }
    expect(chunks.map((chunk) => chunk.length)).toEqual([300, 300, 300, 97])
    const controller = new AbortController()
    controller.abort(new Error('enough'))
    const stream = streamSource(zeroSource(10), { signal: controller.signal })
    await expect(stream.next()).rejects.toThrow('enough')
  })
})

describe('memorySink', () => {
  it('has the length of what was written, or what it was cut to', async () => {
    const sink = memorySink()
    await sink.write(10, pattern(5))
    expect(sink.source().size).toBe(15)
    await sink.truncate(20)
    const bytes = new Uint8Array(20)
    await sink.source().read(0, bytes)
    expect(bytes.slice(10, 15)).toEqual(pattern(5))
  })
})

describe('isZero', () => {
  it('finds one bit anywhere, at any alignment', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.nat(100), fc.nat(99), (start, length, at) => {
        const bytes = new Uint8Array(start + length + 8).subarray(start, start + length)
        expect(isZero(bytes)).toBe(true)
        if (length === 0) return
        bytes[at % length] = 1
        expect(isZero(bytes)).toBe(false)
      }),
    )
  })
})
