import { createCipheriv, createDecipheriv } from 'node:crypto'
import { fromHex, portableRuntime, toHex } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

/** What OpenSSL's own XTS makes of one sector. */
function opensslXts(key: Uint8Array, sector: number, data: Uint8Array, decrypt = false): Uint8Array {
  const tweak = Buffer.alloc(16)
  tweak.writeBigUInt64LE(BigInt(sector))
  const create = decrypt ? createDecipheriv : createCipheriv
  return new Uint8Array(create(`aes-${key.length * 4}-xts`, key, tweak).update(data))
}

describe.each([
  ['portableRuntime', portableRuntime],
  ['nodeRuntime', nodeRuntime],
])('aesXts of %s', (_, { aesXts }) => {
  // IEEE 1619-2018, annex B: vectors 4, 5 and 10; the data is 00 to ff twice.
  const data = Uint8Array.from({ length: 512 }, (_, index) => index)
  const e = '2718281828459045235360287471352631415926535897932384626433832795'
  const long =
    '27182818284590452353602874713526624977572470936999595749669676273141592653589793238462643383279502884197169399375105820974944592'

  test('the vectors of IEEE 1619', async () => {
    const first = await aesXts(fromHex(e), 'encrypt', 512, 0, data)
    expect(toHex(first.subarray(0, 32))).toBe(
      '27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c',
    )
    const second = await aesXts(fromHex(e), 'encrypt', 512, 1, first)
    expect(toHex(second.subarray(0, 32))).toBe(
      '264d3ca8512194fec312c8c9891f279fefdd608d0c027b60483a3fa811d65ee5',
    )
    const tenth = await aesXts(fromHex(long), 'encrypt', 512, 0xff, data)
    expect(toHex(tenth.subarray(0, 32))).toBe(
      '1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b',
    )
    expect(await aesXts(fromHex(long), 'decrypt', 512, 0xff, tenth)).toEqual(data)
  })

  test("equals OpenSSL's XTS sector by sector, and comes back", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(32, 64).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
        fc.constantFrom(512, 1024, 4096),
        fc.oneof(fc.nat(100), fc.nat(2 ** 31), fc.constantFrom(2 ** 32 - 1, 2 ** 40 + 7)),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(3),
        async (key, sectorSize, firstSector, count, shift) => {
          fc.pre(
            !key.subarray(0, key.length / 2).every((byte, index) => byte === key[key.length / 2 + index]),
          )
          const backing = Uint8Array.from({ length: sectorSize * count + 4 }, (_, index) => index * 31)
          const plain = backing.subarray(shift, shift + sectorSize * count)
          const secret = await aesXts(key, 'encrypt', sectorSize, firstSector, plain)
          for (let index = 0; index < count; index++) {
            const at = index * sectorSize
            const sector = firstSector + (index * sectorSize) / 512
            const expected = opensslXts(key, sector, plain.subarray(at, at + sectorSize))
            expect(Buffer.compare(secret.subarray(at, at + sectorSize), expected)).toBe(0)
          }
          const back = await aesXts(key, 'decrypt', sectorSize, firstSector, secret)
          expect(Buffer.compare(back, plain)).toBe(0)
        },
      ),
    )
  })

  test('data that is not whole sectors is refused', async () => {
    await expect(aesXts(new Uint8Array(64), 'encrypt', 512, 0, new Uint8Array(700))).rejects.toThrow(
      RangeError,
    )
  })
})
