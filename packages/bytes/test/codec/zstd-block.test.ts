import { collect, concatBytes, equalBytes, FormatError, portableRuntime } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const text = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * index + (index >> 7)) % 61)

/** A frame without content size and with a window of 128 MiB, as the compressor of a stream may write. */
function unsizedFrame(content: Uint8Array): Uint8Array {
  const header = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3)
  const block = new Uint8Array(3)
  new DataView(block.buffer).setUint16(0, (content.length << 3) | 1, true)
  return concatBytes([header, block, content])
}

describe.each([
  ['portable', portableRuntime],
  ['node', nodeRuntime],
] as const)('zstd blocks, %s runtime', (_, runtime) => {
  it('come back as they were, and the stream decoder agrees', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 3000 }),
        fc.nat(60),
        fc.integer({ min: 1, max: 19 }),
        async (tile, repeats, level) => {
          const data = concatBytes(Array.from({ length: repeats }, () => tile))
          const frame = await runtime.zstd(data, { level })
          expect(equalBytes(await runtime.unzstd(frame, data.length), data)).toBe(true)
          const stream = runtime.decompress('zstd', [frame] as unknown as AsyncIterable<Uint8Array>)
          expect(equalBytes(await collect(stream), data)).toBe(true)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('are read up to the size asked for, over several frames, and padding is left alone', async () => {
    const data = text(200_000)
    const frames = [await runtime.zstd(data.subarray(0, 120_000)), await runtime.zstd(data.subarray(120_000))]
    const packed = concatBytes([...frames, new Uint8Array(300)])
    expect(equalBytes(await runtime.unzstd(packed, 200_000), data)).toBe(true)
    expect((await runtime.unzstd(packed, 300_000)).length).toBe(200_000)
    expect((await runtime.unzstd(packed, 120_000)).length).toBe(120_000)
    await expect(runtime.unzstd(packed, 150_000)).rejects.toBeInstanceOf(FormatError)
  })

  it('may ask for a large window and leave the size out', async () => {
    const frame = unsizedFrame(text(500))
    expect(await runtime.unzstd(frame, 4096)).toEqual(text(500))
    expect(await runtime.unzstd(frame, 500)).toEqual(text(500))
    await expect(runtime.unzstd(frame, 499)).rejects.toBeInstanceOf(FormatError)
  })

  it('are refused when cut, damaged, foreign or longer than allowed', async () => {
    const frame = await runtime.zstd(text(5000))
    for (let length = 0; length < frame.length; length += 7) {
      await expect(runtime.unzstd(frame.slice(0, length), 5000), `${length}`).rejects.toBeInstanceOf(
        FormatError,
      )
    }
    await expect(runtime.unzstd(frame, 4999)).rejects.toBeInstanceOf(FormatError)
    await expect(runtime.unzstd(text(100), 100)).rejects.toBeInstanceOf(FormatError)
    for (let bit = 0; bit < frame.length * 8; bit += 11) {
      const flipped = frame.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      const result = await runtime.unzstd(flipped, 5000).catch((error: unknown) => error)
      if (!(result instanceof Uint8Array)) expect(result).toBeInstanceOf(FormatError)
    }
  })

  it('take a level from 1 to 19', async () => {
    for (const level of [0, 20, 1.5, Number.NaN]) {
      await expect(runtime.zstd(text(10), { level })).rejects.toMatchObject({ code: 'COMPRESSION_INVALID' })
    }
  })
})

it('zstd gives the same bytes in both runtimes, many blocks at once', async () => {
  const blocks = Array.from({ length: 20 }, (_, index) => text(10_000 + index * 1000))
  const node = await Promise.all(blocks.map((block) => nodeRuntime.zstd(block)))
  const portable = await Promise.all(blocks.map((block) => portableRuntime.zstd(block)))
  expect(node).toEqual(portable)
})
