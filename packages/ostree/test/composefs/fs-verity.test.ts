import { memorySource, toHex, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { describe, expect, test } from 'vitest'
import { fsVerityDigest } from '../../src/composefs/fs-verity.ts'

/** A source of one letter over and over, which no memory holds. */
function letters(size: number): Parameters<typeof fsVerityDigest>[0] {
  return { size, read: async (_, target) => void target.fill(0x78) }
}

describe('fs-verity digests are those of Linux', () => {
  test('of a text and of nothing', async () => {
    expect(toHex(await fsVerityDigest(utf8('hello\n')))).toBe(
      '9c76eecc7b76fcb46199cb27b90cf59a660e10575bb0412128905129d5b1c2aa',
    )
    expect(toHex(await fsVerityDigest(new Uint8Array()))).toBe(
      '3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95',
    )
  })

  // One block, one full block of hashes, and one more; the same a level above.
  test.each([
    [1, 'dbbdfa9d606f7adeaa7f16dcfb0d49161c4cfb82d9d51cfb5cb43fa3dacb9e5b'],
    [4095, '11a482c4a3012f101c9013c35072065b676d1b7366c35525f46a2894994076fa'],
    [4096, '3f128b8d5a052638172857f47f0110dc2fc2c234dc0c712c08a3bc6f6c540483'],
    [4097, 'f54d7eca1ac49ae471f4abedb0d9309f0b84a51ec5c1733e3abb2aaf9f66c4ad'],
    [524_288, 'fcaf1ae16ac8b4ca5217ed37818cca018924841f0083e50267b7dc82bdf3adaa'],
    [524_289, '7321b423e2b765c00796ae1e5b0be1dbba66e2e76f0e06e0d6ea4f14142d8783'],
    [67_108_864, 'ec36a446d5660eb439d6224e28538a94ede56ae1611f21aaf2f5a61fb7c5e6e8'],
    [67_108_865, 'e38b789f63f2c9405d4fd12465ec8898702d9083c47c8fcff1349de88277945c'],
  ])('of %d letters', async (size, digest) => {
    expect(toHex(await fsVerityDigest(letters(size), { runtime: nodeRuntime }))).toBe(digest)
  })

  test('whatever hashes', async () => {
    const source = memorySource(new Uint8Array(300_000).fill(7))
    expect(await fsVerityDigest(source)).toEqual(await fsVerityDigest(source, { runtime: nodeRuntime }))
  })

  test('a cancelled call rejects with the reason', async () => {
    const reason = new Error('enough')
    await expect(fsVerityDigest(letters(1), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
