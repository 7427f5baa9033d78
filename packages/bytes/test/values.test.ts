import { createHash } from 'node:crypto'
import zlib from 'node:zlib'
import {
  adler32,
  alignDown,
  alignUp,
  BootableError,
  compareBytewise,
  crc32,
  crc32c,
  decodeUtf8,
  formatSize,
  fromHex,
  guidFromBytes,
  guidToBytes,
  parseSize,
  seededUuid,
  toHex,
  utf8,
  uuidFromBytes,
  uuidToBytes,
} from '@bootable/bytes'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe('checksums', () => {
  const check = utf8('123456789')
  /** The checksum that zlib ends its stream with. */
  const trailer = (data: Uint8Array): number => zlib.deflateSync(data).subarray(-4).readUInt32BE()

  it('give the check values of their definitions', () => {
    expect(crc32(check)).toBe(0xcbf43926)
    expect(crc32c(check)).toBe(0xe3069283)
    expect(adler32(check)).toBe(0x091e01de)
    // The largest sums there are.
    expect(adler32(new Uint8Array(100_000).fill(0xff))).toBe(trailer(new Uint8Array(100_000).fill(0xff)))
  })

  it('equal zlib, at once and in pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (data, cut) => {
        expect(crc32(data)).toBe(zlib.crc32(data))
        expect(crc32(data.subarray(cut), crc32(data.subarray(0, cut)))).toBe(crc32(data))
        expect(crc32c(data.subarray(cut), crc32c(data.subarray(0, cut)))).toBe(crc32c(data))
        expect(adler32(data)).toBe(trailer(data))
        expect(adler32(data.subarray(cut), adler32(data.subarray(0, cut)))).toBe(adler32(data))
      }),
    )
  })
})

describe('parseSize', () => {
  it.each([
    ['10 GiB', 10 * 1024 ** 3],
    ['1.5GB', 1_500_000_000],
    ['500 MiB', 500 * 1024 ** 2],
    ['3 kB', 3000],
    ['1048576', 1048576],
    [4096, 4096],
    ['2TiB', 2 * 1024 ** 4],
  ])('%s', (text, bytes) => expect(parseSize(text)).toBe(bytes))

  it.each(['', 'ten', '10 XB', '-1', '1e9', '10 GiB extra', 2 ** 70])('refuses %s', (text) => {
    expect(() => parseSize(text)).toThrow(BootableError)
  })

  it('is read back by formatSize', () => {
    expect([0, 1023, 1536, 501 * 1024 ** 2, 10 * 1024 ** 3].map(formatSize)).toEqual([
      '0 B',
      '1023 B',
      '1.5 KiB',
      '501 MiB',
      '10 GiB',
    ])
  })

  it('goes with alignment', () => {
    expect([alignUp(1, 512), alignUp(512, 512), alignDown(1023, 512)]).toEqual([512, 512, 512])
  })
})

describe('uuids', () => {
  it('depend on seed and purpose alone', () => {
    expect(seededUuid('a', 'disk')).toBe(seededUuid('a', 'disk'))
    expect(seededUuid('a', 'disk')).not.toBe(seededUuid('a', 'root'))
    expect(seededUuid('a', 'disk')).not.toBe(seededUuid('b', 'disk'))
    expect(seededUuid('ab', 'c')).not.toBe(seededUuid('a', 'bc'))
    expect(seededUuid('a', 'disk')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    )
  })

  it('have two byte orders', () => {
    const esp = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b'
    expect(toHex(guidToBytes(esp))).toBe('28732ac11ff8d211ba4b00a0c93ec93b')
    expect(guidFromBytes(guidToBytes(esp))).toBe(esp)
    expect(uuidFromBytes(uuidToBytes(esp))).toBe(esp)
    expect(() => uuidToBytes('c12a7328')).toThrow(RangeError)
  })
})

describe('text', () => {
  it('orders strings by their UTF-8 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(compareBytewise(a, b)).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))))
      }),
    )
    expect(compareBytewise('\u{ffff}', '\u{10000}')).toBe(-1)
  })

  it('never replaces bytes that are not UTF-8', () => {
    expect(decodeUtf8(Uint8Array.of(0x61, 0xff))).toBeUndefined()
    expect(decodeUtf8(utf8('größe'))).toBe('größe')
  })

  it('reads hexadecimal both ways', () => {
    expect(toHex(fromHex('00FFa5'))).toBe('00ffa5')
    expect(() => fromHex('0g')).toThrow(RangeError)
  })
})

describe('BootableError', () => {
  it('is recognised by its brand and shows as JSON', () => {
    const error = new BootableError('DISK_TOO_SMALL', 'too small', {
      details: { size: 1 },
      hint: 'make it larger',
    })
    expect(BootableError.is(error, 'DISK_TOO_SMALL')).toBe(true)
    expect(BootableError.is(error, 'OTHER')).toBe(false)
    expect(BootableError.is(new Error('x'))).toBe(false)
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      code: 'DISK_TOO_SMALL',
      message: 'too small',
      details: { size: 1 },
      hint: 'make it larger',
    })
  })
})

describe('hashes', () => {
  it('agree between runtimes', async () => {
    const { portableRuntime } = await import('@bootable/bytes')
    const { nodeRuntime } = await import('@bootable/bytes/node')
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const expected = createHash(algorithm).update('abc').digest('hex')
      for (const runtime of [portableRuntime, nodeRuntime]) {
        expect(toHex(runtime.createHash(algorithm).update(utf8('a')).update(utf8('bc')).digest())).toBe(
          expected,
        )
      }
    }
  })
})
