import {
  BootableError,
  type ByteSource,
  FormatError,
  MiB,
  memoryDevice,
  readAll,
  sliceSource,
  toHex,
  utf8,
  zeroSource,
} from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  type CreateLuksVolumeOptions,
  createLuksVolume,
  isLuks,
  LUKS_OVERHEAD,
  type PlanLuksOptions,
  planLuks,
  readLuks,
} from '@bootable/disk/luks'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { patternBytes } from '../../../../tooling/compliance/trees.ts'
import { createSectorCipher } from '../../src/luks/cipher.ts'
import { parseMetadata } from '../../src/luks/metadata.ts'
import { encryptedDevice } from '../../src/luks/volume.ts'

const UUID = '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10'
/** As cheap as the format allows: what is tested here is not how slow it is. */
const CHEAP = { type: 'pbkdf2', hash: 'sha256', iterations: 1000 } as const
const PASSPHRASE = utf8('correct horse')

type Overrides = Partial<PlanLuksOptions & Pick<CreateLuksVolumeOptions, 'passphrase' | 'volumeKey'>>

async function sample(
  overrides: Overrides = {},
  size = 17 * MiB,
): Promise<{ device: ReturnType<typeof memoryDevice>; opened: ReturnType<typeof memoryDevice> }> {
  const { passphrase = PASSPHRASE, volumeKey, ...planned } = overrides
  const device = memoryDevice(size)
  const plan = planLuks({ uuid: UUID, seed: 'lab', pbkdf: CHEAP, ...planned })
  const secrets = volumeKey ? { passphrase, volumeKey } : { passphrase }
  const opened = await createLuksVolume(device, { ...plan, ...secrets, runtime: nodeRuntime })
  return { device, opened }
}

async function errorOf(action: () => unknown): Promise<BootableError> {
  try {
    await action()
  } catch (error) {
    if (BootableError.is(error)) return error
    throw error
  }
  throw new Error('no error')
}

async function unlocked(source: ByteSource, passphrase = PASSPHRASE): Promise<ByteSource> {
  return (await readLuks(source, { runtime: nodeRuntime })).unlock(passphrase)
}

/** The device of a sample without data: its keys are derived once for all tests. */
async function closedDevice(): Promise<ReturnType<typeof memoryDevice>> {
  header ??= sample().then(({ device }) => readAll(sliceSource(device, 0, 512 * 1024)))
  const device = memoryDevice(17 * MiB)
  await device.write(0, await header)
  return device
}
let header: Promise<Uint8Array> | undefined

/** A view under a key that no passphrase guards. */
function openDevice(sectorSize = 512, size = MiB): ReturnType<typeof memoryDevice> {
  const cipher = createSectorCipher(patternBytes(64), sectorSize, { runtime: nodeRuntime })
  const device = memoryDevice(LUKS_OVERHEAD + size)
  return encryptedDevice(device, { cipher, offset: LUKS_OVERHEAD, size, ivTweak: 0 })
}

describe('planLuks', () => {
  test('a plan is JSON without a secret, and depends on seed and uuid alone', () => {
    const plan = planLuks({ uuid: UUID.toUpperCase(), seed: 'lab', label: 'root' })
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
    expect(plan).toMatchObject({ uuid: UUID, label: 'root', sectorSize: 512, cipher: 'aes-xts-plain64' })
    expect(plan.pbkdf).toEqual({ type: 'argon2id', time: 4, memory: 131_072, cpus: 4 })
    const salts = [
      plan,
      planLuks({ uuid: UUID, seed: 'b' }),
      planLuks({ uuid: UUID.replace('6', '7'), seed: 'lab' }),
    ]
    expect(
      new Set(salts.flatMap(({ salts: { keyslot, digest, headers } }) => [keyslot, digest, ...headers])).size,
    ).toBe(12)
  })

  test('all problems come in one error', async () => {
    const error = await errorOf(() =>
      planLuks({
        uuid: 'x',
        seed: '',
        label: 'l'.repeat(48),
        cipher: 'aes-cbc-essiv:sha256',
        sectorSize: 8192,
        pbkdf: { type: 'argon2id', time: 1, memory: 16, cpus: 9 },
      }),
    )
    expect(error.code).toBe('LUKS_OPTION_INVALID')
    expect(error.details.problems).toHaveLength(8)
  })
})

describe('createLuksVolume and readLuks', () => {
  test.each([
    ['PBKDF2, sectors of 512', { pbkdf: CHEAP }],
    ['PBKDF2 with sha512, sectors of 4096', { pbkdf: { ...CHEAP, hash: 'sha512' }, sectorSize: 4096 }],
    ['Argon2id', { pbkdf: { type: 'argon2id', time: 4, memory: 64, cpus: 2 }, sectorSize: 2048 }],
    ['a volume key of one’s own', { volumeKey: patternBytes(64, 3) }],
  ] as const)('%s: what is written reads back', async (_, overrides) => {
    const { device, opened } = await sample({ label: 'Wurzel', subsystem: 'test', ...overrides })
    expect(opened.size).toBe(MiB)
    const content = patternBytes(300_000)
    await opened.write(4096, content)
    expect(await isLuks(device)).toBe(true)
    const volume = await readLuks(device, { runtime: nodeRuntime })
    expect(volume).toMatchObject({
      uuid: UUID,
      label: 'Wurzel',
      subsystem: 'test',
      copy: 'primary',
      size: MiB,
    })
    const source = await volume.unlock(PASSPHRASE)
    const found = await readAll(sliceSource(source, 4096, content.length))
    expect(Buffer.compare(found, content)).toBe(0)
    const raw = await readAll(sliceSource(device, LUKS_OVERHEAD + 4096, content.length))
    expect(Buffer.compare(raw, content)).not.toBe(0)
    const wrong = await errorOf(() => volume.unlock(utf8('Tr0ub4dor&3')))
    expect(wrong.code).toBe('LUKS_PASSPHRASE_WRONG')
  })

  test('portable and native runtime write the same bytes and read each other', async () => {
    const images: Uint8Array[] = []
    for (const runtime of [undefined, nodeRuntime]) {
      const device = memoryDevice(17 * MiB)
      const plan = planLuks({ uuid: UUID, seed: 'lab', pbkdf: CHEAP })
      const options = runtime ? { ...plan, runtime } : plan
      const opened = await createLuksVolume(device, { ...options, passphrase: PASSPHRASE })
      await opened.write(1000, patternBytes(70_000))
      images.push(await readAll(device))
      const other = await readLuks(device, runtime ? {} : { runtime: nodeRuntime })
      const found = await readAll(sliceSource(await other.unlock(PASSPHRASE), 1000, 70_000))
      expect(Buffer.compare(found, patternBytes(70_000))).toBe(0)
    }
    expect(Buffer.compare(images[0] as Uint8Array, images[1] as Uint8Array)).toBe(0)
  })

  test('keys follow passphrase, seed and uuid; the header tells none of them', async () => {
    const key = async (overrides: Overrides): Promise<string> => {
      const { device, opened } = await sample(overrides)
      await opened.write(0, new Uint8Array(512))
      return toHex(await readAll(sliceSource(device, LUKS_OVERHEAD, 512)))
    }
    const same = [await key({}), await key({})]
    expect(same[0]).toBe(same[1])
    const others = await Promise.all([
      key({ passphrase: utf8('another') }),
      key({ seed: 'b' }),
      key({ uuid: UUID.replace('6', '7') }),
      key({ volumeKey: patternBytes(64, 3) }),
      key({ pbkdf: { ...CHEAP, iterations: 1001 } }),
    ])
    expect(new Set([same[0], ...others]).size).toBe(6)
  })

  test('options and devices that cannot be', async () => {
    const plan = planLuks({ uuid: UUID, seed: 'lab', pbkdf: CHEAP, sectorSize: 4096 })
    const create = (size: number, options: object = {}): Promise<BootableError> =>
      errorOf(() => createLuksVolume(memoryDevice(size), { ...plan, passphrase: PASSPHRASE, ...options }))
    expect((await create(16 * MiB)).code).toBe('LUKS_NO_SPACE')
    expect((await create(17 * MiB + 512)).code).toBe('LUKS_OPTION_INVALID')
    expect((await create(17 * MiB, { passphrase: new Uint8Array() })).message).toMatch(/empty/)
    expect((await create(17 * MiB, { volumeKey: new Uint8Array(32) })).message).toMatch(/64 bytes/)
    const reason = new Error('enough')
    const options = { ...plan, passphrase: PASSPHRASE, signal: AbortSignal.abort(reason) }
    await expect(createLuksVolume(memoryDevice(17 * MiB), options)).rejects.toBe(reason)
  })
})

describe('the encrypted view', () => {
  test('any writes, overlapping sectors or not, one after the other or at once', async () => {
    const write = fc.record({ at: fc.nat(30_000), length: fc.nat(9000), seed: fc.nat(1000) })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(512, 4096),
        fc.array(write, { maxLength: 12 }),
        fc.boolean(),
        async (sectorSize, writes, atOnce) => {
          const opened = openDevice(sectorSize)
          const expected = new Uint8Array(40_960)
          // At once they must not overlap in bytes, though they may in sectors.
          let next = 0
          const pending: Promise<void>[] = []
          for (const { at, length, seed } of writes) {
            const offset = atOnce ? next : at
            const data = patternBytes(length, seed).subarray(0, expected.length - offset)
            next = offset + data.length
            expected.set(data, offset)
            const done = opened.write(offset, data)
            if (atOnce) pending.push(done)
            else await done
          }
          await Promise.all(pending)
          for await (const { offset, length } of opened.dataRanges()) {
            const found = await readAll(sliceSource(opened, offset, length))
            expect(Buffer.compare(found, expected.subarray(offset, offset + length))).toBe(0)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('only what was written or cleared is in its ranges; the rest is noise', async () => {
    const { device, opened } = await sample({ sectorSize: 4096 })
    await opened.write(8192, patternBytes(100))
    await opened.clear?.(100_000, 70_000)
    const ranges = []
    for await (const range of opened.dataRanges()) ranges.push(range)
    expect(ranges).toEqual([
      { offset: 8192, length: 4096 },
      { offset: 98_304, length: 73_728 },
    ])
    const source = await unlocked(device)
    const cleared = await readAll(sliceSource(source, 98_304, 73_728))
    expect(cleared.every((byte) => byte === 0)).toBe(true)
    const never = await readAll(sliceSource(source, 200_000, 4096))
    expect(never.filter((byte) => byte === 0).length).toBeLessThan(100)
  })

  test('large writes reach the device in large pieces', async () => {
    const sizes: number[] = []
    const device = memoryDevice(40 * MiB)
    const counted = {
      ...device,
      async write(offset: number, data: Uint8Array) {
        sizes.push(data.length)
        await device.write(offset, data)
      },
    }
    const cipher = createSectorCipher(patternBytes(64), 512, { runtime: nodeRuntime })
    const segment = { cipher, offset: LUKS_OVERHEAD, size: 24 * MiB, ivTweak: 0 }
    const opened = encryptedDevice(counted, segment)
    await opened.write(0, patternBytes(10 * MiB))
    await opened.clear?.(10 * MiB, 9 * MiB)
    expect(Math.min(...sizes)).toBe(MiB)
    await expect(opened.write(24 * MiB - 1, new Uint8Array(2))).rejects.toMatchObject({
      code: 'DEVICE_OUT_OF_BOUNDS',
    })
    await expect(opened.read(24 * MiB - 1, new Uint8Array(2))).rejects.toThrow(FormatError)
  })
})

/** The sample with another JSON area; both headers' checksums are made right. */
async function withJson(edit: (json: string) => string): Promise<ByteSource> {
  const device = await closedDevice()
  const image = await readAll(sliceSource(device, 0, 32_768))
  for (const base of [0, 16_384]) {
    const header = image.subarray(base, base + 16_384)
    const json = new TextDecoder().decode(header.subarray(4096)).replace(/\0+$/, '')
    header.fill(0, 4096)
    header.set(utf8(edit(json)).subarray(0, 12_288), 4096)
    header.fill(0, 0x1c0, 0x200)
    header.set(nodeRuntime.createHash('sha256').update(header).digest(), 0x1c0)
  }
  await device.write(0, image)
  return device
}

describe('reading what others wrote', () => {
  test('a damaged first header stands back for the second', async () => {
    const device = await closedDevice()
    await device.write(4100, Uint8Array.of(0))
    const volume = await readLuks(device)
    expect(volume.copy).toBe('backup')
    expect((await volume.unlock(PASSPHRASE)).size).toBe(MiB)
    await device.write(20_490, Uint8Array.of(0))
    await expect(readLuks(device)).rejects.toMatchObject({ code: 'FORMAT_CHECKSUM' })
    await device.write(0, new Uint8Array(100))
    await device.write(16_384, new Uint8Array(100))
    await expect(readLuks(device)).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
  })

  test('a second header that is damaged where it says its version harms nobody', async () => {
    const device = await closedDevice()
    await device.write(16_384 + 7, Uint8Array.of(3))
    expect((await readLuks(device)).copy).toBe('primary')
  })

  test('LUKS1 is refused by name', async () => {
    const device = await closedDevice()
    // Its next field is text: no number of bytes.
    await device.write(6, Uint8Array.of(0, 1, ...utf8('aes'.padEnd(32, 'x'))))
    const error = await errorOf(() => readLuks(device))
    expect(error.code).toBe('FORMAT_UNSUPPORTED')
    expect(error.message).toMatch(/convert --type luks2/)
  })

  test.each([
    [
      'another cipher',
      '"encryption":"aes-xts-plain64","sector_size"',
      '"encryption":"aes-cbc-essiv:sha256","sector_size"',
    ],
    ['integrity', '"size":"dynamic"', '"size":"dynamic","integrity":{}'],
    ['a requirement', '"config":{', '"config":{"requirements":{"mandatory":["online-reencrypt-v2"]},'],
    ['two segments', '"segments":{"0"', '"segments":{"1":{},"0"'],
    ['another hash', '"kdf":{"type":"pbkdf2","hash":"sha256"', '"kdf":{"type":"pbkdf2","hash":"whirlpool"'],
  ])('%s is refused by name', async (_, from, to) => {
    const source = await withJson((json) => {
      expect(json).toContain(from)
      return json.replace(from, to)
    })
    await expect(readLuks(source)).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
  })

  test('a key slot that cannot be read stands in nobody’s way, and priorities are kept', async () => {
    const source = await withJson((json) => {
      const { keyslots, digests, ...rest } = JSON.parse(json)
      keyslots[1] = { ...keyslots[0], kdf: { ...keyslots[0].kdf, hash: 'ripemd160' } }
      keyslots[2] = { ...keyslots[0], priority: 0 }
      digests[0].keyslots = ['0', '1', '2']
      return JSON.stringify({ keyslots, digests, ...rest })
    })
    const volume = await readLuks(source, { runtime: nodeRuntime })
    expect(volume.keyslots.map(({ number }) => number)).toEqual([0, 2])
    expect((await volume.unlock(PASSPHRASE)).size).toBe(MiB)
    expect((await volume.unlock(PASSPHRASE, { keyslot: 2 })).size).toBe(MiB)
    const error = await errorOf(() => volume.unlock(utf8('wrong')))
    expect(error.details.keyslots).toEqual(['0'])
  })

  test.each([
    [
      'rounds',
      (json: string) => json.replace('"iterations":1000,', '"iterations":4000000000,'),
      'iterations',
    ],
    [
      'rounds of the digest',
      (json: string) => json.replace('"iterations":100000,', '"iterations":4000000000,'),
      'iterations',
    ],
    [
      'memory',
      (json: string) =>
        json.replace(
          '"type":"pbkdf2","hash":"sha256","iterations":1000,',
          '"type":"argon2id","time":4,"memory":4194304,"cpus":4,',
        ),
      'memory',
    ],
    [
      'passes',
      (json: string) =>
        json.replace(
          '"type":"pbkdf2","hash":"sha256","iterations":1000,',
          '"type":"argon2id","time":4000000,"memory":1048576,"cpus":4,',
        ),
      'work',
    ],
  ])('a header that asks for too many %s is refused before it costs', async (_, edit, limit) => {
    const volume = await readLuks(await withJson(edit))
    const error = await errorOf(() => volume.unlock(PASSPHRASE))
    expect(error.code).toBe('LUKS_KDF_LIMIT')
    expect(error.details.limit).toBe(limit)
  })

  test('flipped bits and cut ends give FormatError or a volume', async () => {
    const device = await closedDevice()
    const image = await readAll(sliceSource(device, 0, 32_768))
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat(5600), fc.integer({ min: 16_384, max: 22_000 })),
        fc.nat(7),
        fc.oneof(fc.constant(17 * MiB), fc.nat(40_000), fc.nat(17 * MiB)),
        async (at, bit, size) => {
          const damaged = image.slice()
          damaged[at] = (damaged[at] as number) ^ (1 << bit)
          const source = zeroSource(size)
          const cut: ByteSource = {
            size,
            async read(offset, target) {
              await source.read(offset, target)
              if (offset < damaged.length) target.set(damaged.subarray(offset, offset + target.length))
            },
          }
          try {
            expect((await readLuks(cut, { runtime: nodeRuntime })).size).toBeLessThanOrEqual(MiB)
          } catch (error) {
            expect(error).toBeInstanceOf(FormatError)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('lists in lists without end are told in few words', () => {
    const nested = '['.repeat(2 ** 20) + ']'.repeat(2 ** 20)
    const error = (): unknown => parseMetadata(`{"config":{},"segments":${nested}}`)
    expect(error).toThrow(FormatError)
    expect(error).toThrow('is a list, not an object')
  })

  test('random edits of the JSON give FormatError or metadata within its bounds', async () => {
    const device = await closedDevice()
    const header = await readAll(sliceSource(device, 4096, 12_288))
    const json = new TextDecoder().decode(header).replace(/\0+$/, '')
    const piece = fc.constantFrom(
      '{',
      '}',
      '[]',
      '"',
      ',',
      '-1',
      '0',
      '1e99',
      'null',
      '{}',
      '99999999999',
      '',
    )
    await fc.assert(
      fc.property(fc.nat(json.length), fc.nat(20), piece, (at, length, insert) => {
        const text = json.slice(0, at) + insert + json.slice(at + length)
        try {
          for (const { area } of parseMetadata(text).keyslots) expect(area.size).toBeLessThan(2 ** 28)
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
