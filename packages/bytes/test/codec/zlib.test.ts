import nodeZlib from 'node:zlib'
import { concatBytes, equalBytes, FormatError, portableRuntime, unzlib, zlib } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe.each([
  ['portable', portableRuntime],
  ['node', nodeRuntime],
] as const)('%s runtime', (_, runtime) => {
  it('makes zlib streams that zlib inflates, and the other way round', async () => {
    const data = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.nat(70_000).map((length) => new Uint8Array(length).fill(7)),
    )
    await fc.assert(
      fc.asyncProperty(data, fc.integer({ min: 0, max: 9 }), async (bytes, level) => {
        const stream = await zlib(bytes, { runtime, level })
        expect(nodeZlib.inflateSync(stream).equals(bytes)).toBe(true)
        // The header says the level as zlib does.
        const theirs = new Uint8Array(nodeZlib.deflateSync(bytes, { level }))
        expect(stream.subarray(0, 2)).toEqual(theirs.subarray(0, 2))
        expect(equalBytes(await unzlib(theirs, bytes.length, { runtime }), bytes)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  const stream = new Uint8Array(nodeZlib.deflateSync(new Uint8Array(5000).fill(3)))
  const refusals: [what: string, bytes: Uint8Array, code: string][] = [
    ['nothing', new Uint8Array(0), 'FORMAT_TRUNCATED'],
    ['a header alone', stream.subarray(0, 6), 'FORMAT_TRUNCATED'],
    ['another method', concatBytes([Uint8Array.of(0x77, 0x9c), stream.subarray(2)]), 'FORMAT_INVALID'],
    [
      'a header whose check fails',
      concatBytes([Uint8Array.of(0x78, 0x9d), stream.subarray(2)]),
      'FORMAT_INVALID',
    ],
    ['a dictionary', concatBytes([Uint8Array.of(0x78, 0xbb), stream.subarray(2)]), 'FORMAT_UNSUPPORTED'],
    ['another checksum', concatBytes([stream.subarray(0, -1), Uint8Array.of(1)]), 'FORMAT_CHECKSUM'],
  ]
  it.each(refusals)('refuses %s', async (_what, bytes, code) => {
    const error = await unzlib(bytes, 5000, { runtime }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as FormatError).code).toBe(code)
  })

  it('refuses more data than asked for', async () => {
    await expect(unzlib(stream, 4999, { runtime })).rejects.toThrow(FormatError)
  })
})
