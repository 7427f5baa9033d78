import { spawnSync } from 'node:child_process'
import zlib from 'node:zlib'
import {
  BootableError,
  collect,
  concatBytes,
  detectCompression,
  equalBytes,
  FormatError,
  portableRuntime,
} from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

async function* chunks(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
}

const text = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * index + (index >> 7)) % 61)

describe.each([
  ['portable', portableRuntime],
  ['node', nodeRuntime],
] as const)('%s runtime', (_, runtime) => {
  it('inflates gzip of several members, in chunks of any size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 5000 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 3000 }),
        async (members, size) => {
          const packed = concatBytes(members.map((member) => zlib.gzipSync(member)))
          expect(await collect(runtime.decompress('gzip', chunks(packed, size)))).toEqual(
            concatBytes(members),
          )
        },
      ),
      { numRuns: 30 },
    )
  })

  it('refuses a damaged checksum, garbage and every truncation', async () => {
    const packed = new Uint8Array(zlib.gzipSync(text(3000)))
    const wrong = packed.slice()
    wrong[wrong.length - 6] = (wrong[wrong.length - 6] as number) ^ 1
    await expect(collect(runtime.decompress('gzip', chunks(wrong)))).rejects.toBeInstanceOf(FormatError)
    await expect(collect(runtime.decompress('gzip', chunks(text(50))))).rejects.toBeInstanceOf(FormatError)
    for (let length = 0; length < packed.length; length += 13) {
      const cut = runtime.decompress('gzip', chunks(packed.slice(0, length)))
      await expect(collect(cut), `cut at ${length}`).rejects.toBeInstanceOf(FormatError)
    }
  })

  it('stops a bomb by ratio and by size', async () => {
    const bomb = new Uint8Array(zlib.gzipSync(new Uint8Array(40 * 1024 ** 2), { level: 9 }))
    const drain = async (options: object): Promise<number> => {
      let length = 0
      for await (const chunk of runtime.decompress('gzip', chunks(bomb, 4096), options))
        length += chunk.length
      return length
    }
    await expect(drain({ maxRatio: 500 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    await expect(drain({ maxOutput: 10_000_000 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    expect(await drain({})).toBe(40 * 1024 ** 2)
  })

  it('gives the error of its input as it is', async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(zlib.gzipSync(text(100_000))).slice(0, 50)
      throw new BootableError('DIGEST_MISMATCH', 'tampered')
    }
    await expect(collect(runtime.decompress('gzip', broken()))).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
  })

  it('can be cancelled', async () => {
    const controller = new AbortController()
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      const packed = new Uint8Array(zlib.gzipSync(text(1000)))
      for (;;) {
        yield packed
        controller.abort(new Error('enough'))
      }
    }
    const output = runtime.decompress('gzip', endless(), { signal: controller.signal })
    await expect(collect(output)).rejects.toThrow('enough')
  })

  it('deflates a block and inflates it again', async () => {
    const data = concatBytes([text(40_000), text(40_000)])
    const packed = await runtime.deflateRaw(data, { windowBits: 12 })
    expect(packed.length).toBeLessThan(data.length)
    expect(equalBytes(await runtime.inflateRaw(packed, data.length), data)).toBe(true)
    expect(equalBytes(zlib.inflateRawSync(packed), data)).toBe(true)
    await expect(runtime.inflateRaw(text(100), 100)).rejects.toBeInstanceOf(FormatError)
  })

  it('writes gzip that is the same at any time', async () => {
    const packed = await collect(runtime.gzip(chunks(text(5000))))
    expect(packed.slice(0, 8)).toEqual(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0))
    expect(new Uint8Array(zlib.gunzipSync(packed))).toEqual(text(5000))
  })

  const zstd = spawnSync('zstd', ['--version']).status === 0
  it.skipIf(!zstd)('inflates zstd of several frames; needs the zstd program', async () => {
    const frame = new Uint8Array(spawnSync('zstd', ['-q', '-c'], { input: text(300_000) }).stdout)
    const twice = concatBytes([frame, frame])
    const all = concatBytes([text(300_000), text(300_000)])
    expect(equalBytes(await collect(runtime.decompress('zstd', chunks(twice, 777))), all)).toBe(true)
    for (const length of [0, 1, 5, 20, frame.length - 1]) {
      const cut = runtime.decompress('zstd', chunks(frame.slice(0, length)))
      await expect(collect(cut), `cut at ${length}`).rejects.toBeInstanceOf(FormatError)
    }
    await expect(collect(runtime.decompress('zstd', chunks(text(5000))))).rejects.toBeInstanceOf(FormatError)
  })
})

it('detectCompression knows the magic numbers', () => {
  expect(detectCompression(Uint8Array.of(0x1f, 0x8b, 8, 0))).toBe('gzip')
  expect(detectCompression(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd))).toBe('zstd')
  expect(detectCompression(Uint8Array.of(0x50, 0x2a, 0x4d, 0x18))).toBe('zstd')
  expect(detectCompression(new Uint8Array(4))).toBe('none')
})
