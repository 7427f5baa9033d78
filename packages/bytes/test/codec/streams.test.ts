import zlib from 'node:zlib'
import {
  collect,
  concatBytes,
  concatSources,
  crc32,
  crc32Combine,
  equalBytes,
  MiB,
  memoryDevice,
  memorySource,
  portableRuntime,
  streamSparse,
  ZERO_CHUNK,
  zeroSource,
  zstdStream,
} from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const noise = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let index = 0, state = length; index < length; index++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff
    bytes[index] = (state >> 16) & (index % 3 === 0 ? 0xff : 0x0f)
  }
  return bytes
}

/** 9 MiB and a bit, mostly holes, data across the borders of chunks. */
async function sparseDisk(): Promise<ReturnType<typeof memoryDevice>> {
  const disk = memoryDevice(9 * MiB + 4096)
  await disk.write(MiB - 70_000, noise(140_000))
  await disk.write(5 * MiB, noise(MiB))
  await disk.write(9 * MiB + 4000, noise(96))
  return disk
}

describe('streamSparse', () => {
  it('yields what is there, and never reads a hole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(4 * MiB), fc.integer({ min: 1, max: 300_000 })), { maxLength: 6 }),
        fc.integer({ min: 1, max: 4 * MiB }),
        async (writes, size) => {
          const device = memoryDevice(size)
          for (const [offset, length] of writes) {
            if (offset + length <= size) await device.write(offset, noise(length))
          }
          let read = 0
          const counted = {
            ...device,
            async read(offset: number, target: Uint8Array) {
              read += target.length
              await device.read(offset, target)
            },
          }
          const all = await collect(streamSparse(counted))
          const expected = new Uint8Array(size)
          await device.read(0, expected)
          expect(equalBytes(all, expected)).toBe(true)
          let data = 0
          for await (const { length } of device.dataRanges()) data += length
          // Gaps below 32 KiB are read over.
          expect(read).toBeLessThanOrEqual(data + writes.length * 32_768)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('stands the same chunk in for every hole', async () => {
    let zeros = 0
    for await (const chunk of streamSparse(await sparseDisk())) if (chunk === ZERO_CHUNK) zeros++
    expect(zeros).toBe(6)
  })

  it('keeps the holes of sources that are put together', async () => {
    const disk = await sparseDisk()
    const joined = concatSources([memorySource(noise(512)), disk, zeroSource(1000)])
    const ranges: object[] = []
    for await (const range of joined.dataRanges?.() ?? []) ranges.push(range)
    expect(ranges[0]).toEqual({ offset: 0, length: 512 })
    expect(ranges[1]).toEqual({ offset: 512 + MiB - 70_000, length: 140_000 })
    const plain = new Uint8Array(disk.size)
    await disk.read(0, plain)
    const all = await collect(streamSparse(joined))
    expect(equalBytes(all, concatBytes([noise(512), plain, new Uint8Array(1000)]))).toBe(true)
  })
})

describe('gzip in blocks', () => {
  it.each([
    ['portable', portableRuntime],
    ['node', nodeRuntime],
  ] as const)('is one member that zlib reads, %s runtime', async (_, runtime) => {
    const disk = await sparseDisk()
    const expected = new Uint8Array(disk.size)
    await disk.read(0, expected)
    const packed = await collect(runtime.gzip(streamSparse(disk)))
    expect(equalBytes(new Uint8Array(zlib.gunzipSync(packed)), expected)).toBe(true)
    // The trailer of a single member holds the length of everything.
    expect(new DataView(packed.buffer, packed.length - 4).getUint32(0, true)).toBe(disk.size)
  })

  it('does not depend on the chunks that the stream comes in', async () => {
    const data = noise(2_500_000)
    const cut = async function* (size: number): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < data.length; at += size) yield data.slice(at, at + size)
    }
    const [first, ...others] = await Promise.all(
      [1000, 70_000, MiB, 3_000_000].map((size) => collect(nodeRuntime.gzip(cut(size)))),
    )
    for (const other of others) expect(equalBytes(other, first as Uint8Array)).toBe(true)
    expect(zlib.gunzipSync(await collect(nodeRuntime.gzip(cut(3_000_000)))).length).toBe(data.length)
  })

  it('of nothing is a member of nothing', async () => {
    const packed = await collect(nodeRuntime.gzip((async function* () {})()))
    expect(zlib.gunzipSync(packed).length).toBe(0)
  })

  it('passes on the error of its input', async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield noise(3 * MiB)
      throw new Error('no more')
    }
    await expect(collect(nodeRuntime.gzip(broken()))).rejects.toThrow('no more')
    await expect(collect(zstdStream(broken(), { runtime: nodeRuntime }))).rejects.toThrow('no more')
  })
})

describe('zstd in blocks', () => {
  it('has the same bytes in every runtime and is read as one stream', async () => {
    const disk = await sparseDisk()
    const expected = new Uint8Array(disk.size)
    await disk.read(0, expected)
    const packed = await collect(zstdStream(streamSparse(disk), { runtime: nodeRuntime, concurrency: 3 }))
    expect(equalBytes(packed, await collect(zstdStream(streamSparse(disk))))).toBe(true)
    const stream = async function* (): AsyncGenerator<Uint8Array> {
      yield packed
    }
    for (const runtime of [portableRuntime, nodeRuntime]) {
      expect(equalBytes(await collect(runtime.decompress('zstd', stream())), expected)).toBe(true)
    }
  })

  it('of nothing is a frame of nothing', async () => {
    const packed = await collect(zstdStream((async function* () {})()))
    expect((await portableRuntime.unzstd(packed, 10)).length).toBe(0)
    expect(packed.length).toBeGreaterThan(4)
  })
})

it('crc32Combine is the checksum of both pieces', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), fc.uint8Array({ maxLength: 2000 }), (first, second) => {
      expect(crc32Combine(crc32(first), crc32(second), second.length)).toBe(
        crc32(concatBytes([first, second])),
      )
    }),
  )
})
