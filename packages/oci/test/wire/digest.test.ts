import { utf8 } from '@bootable/bytes'
import { digestBytes, hashAlgorithm, isDigest, parseDigest, splitDigest } from '@bootable/oci'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const EMPTY = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

describe('parseDigest', () => {
  test.each([EMPTY, `sha512:${'0a'.repeat(64)}`, `blake3:${'0a'.repeat(32)}`])('takes %s', (text) => {
    expect(parseDigest(text)).toBe(text)
  })

  test.each([
    ['', 'DIGEST_INVALID'],
    ['sha256', 'DIGEST_INVALID'],
    ['sha256:', 'DIGEST_INVALID'],
    [EMPTY.toUpperCase(), 'DIGEST_INVALID'],
    [EMPTY.replace('e3b0', 'E3B0'), 'DIGEST_INVALID'],
    [EMPTY.slice(0, -1), 'DIGEST_INVALID'],
    [`${EMPTY}0`, 'DIGEST_INVALID'],
    [`${EMPTY}\n`, 'DIGEST_INVALID'],
    [` ${EMPTY}`, 'DIGEST_INVALID'],
    ['sha256:../../../../etc/passwd', 'DIGEST_INVALID'],
    [`sha256:../${'0'.repeat(61)}`, 'DIGEST_INVALID'],
    [`sha512:${'0'.repeat(64)}`, 'DIGEST_INVALID'],
    ['toString:abc', 'DIGEST_INVALID'],
    ['sha384:00ff', 'DIGEST_UNSUPPORTED'],
    ['multihash+base58:QmRZ', 'DIGEST_UNSUPPORTED'],
  ])('refuses %j with %s', (text, code) => {
    expect(isDigest(text)).toBe(false)
    expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code }))
  })

  test('nothing that it takes holds a slash or a dot', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^sha256:.{60,68}$/)), (text) => {
        if (isDigest(text)) expect(text).toMatch(/^[a-z0-9]+:[0-9a-f]+$/)
      }),
    )
  })
})

test('digestBytes hashes, and the algorithm can be asked for', () => {
  expect(digestBytes(new Uint8Array())).toBe(EMPTY)
  expect(digestBytes(utf8('abc'), { algorithm: 'sha512' })).toMatch(/^sha512:ddaf35a193617aba/)
  expect(splitDigest(parseDigest(EMPTY))).toEqual({ algorithm: 'sha256', encoded: EMPTY.slice(7) })
})

test('blake3 is known but cannot be checked', () => {
  expect(() => hashAlgorithm(parseDigest(`blake3:${'0'.repeat(64)}`))).toThrow(
    expect.objectContaining({ code: 'DIGEST_UNSUPPORTED' }),
  )
})
