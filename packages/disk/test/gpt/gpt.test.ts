import {
  type BlockDevice,
  crc32,
  FormatError,
  memoryDevice,
  memorySource,
  readAll,
  seededUuid,
} from '@bootable/bytes'
import { PARTITION_TYPES, type Partition, type PartitionTable, readGpt, writeGpt } from '@bootable/disk'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GptEntry, GptHeader, MbrRecord } from '../../src/gpt/format.ts'

const MiB = 1_048_576

function partition(number: number, start: number, size: number, rest: Partial<Partition> = {}): Partition {
  return {
    number,
    type: PARTITION_TYPES.linux,
    uuid: seededUuid('test', `partition ${number}`),
    label: '',
    start: start * MiB,
    size: size * MiB,
    attributes: [],
    ...rest,
  }
}

function table(partitions: readonly Partition[], size = 64 * MiB, sectorSize = 512): PartitionTable {
  return { uuid: seededUuid('test', 'disk'), size, sectorSize, partitions }
}

async function written(given: PartitionTable): Promise<BlockDevice> {
  const device = memoryDevice(given.size)
  await writeGpt(given, device)
  return device
}

const SAMPLE = table([
  partition(1, 1, 1, { type: PARTITION_TYPES.biosBoot, attributes: [2] }),
  partition(2, 2, 30, { type: PARTITION_TYPES.esp, label: 'EFI sÿstem 🦊' }),
  partition(4, 40, 23, { attributes: [0, 59, 63] }),
])

describe('writeGpt', () => {
  test('the structures have the sizes of UEFI 2.10', () => {
    expect([GptHeader.size, GptEntry.size, MbrRecord.size]).toEqual([92, 128, 16])
  })

  test('the bytes of a 10 GiB disk, as sfdisk writes them', async () => {
    const device = await written(table([partition(1, 1, 1)], 10 * 1024 * MiB))
    const sectors = new Uint8Array(2 * 512)
    await device.read(0, sectors)
    const mbr = Buffer.from(sectors.subarray(0x1be, 0x1ce)).toString('hex')
    expect(mbr).toBe('00000200eeffffff01000000ffff3f01')
    expect([...sectors.subarray(510, 512)]).toEqual([0x55, 0xaa])
    const header = GptHeader.read(sectors, 512)
    expect(header).toMatchObject({
      firstUsableLba: 2048,
      lastUsableLba: 20_971_486,
      alternateLba: 20_971_519,
      partitionEntryLba: 2,
      numberOfPartitionEntries: 128,
    })
    const backup = new Uint8Array(512)
    await device.read(20_971_519 * 512, backup)
    expect(GptHeader.read(backup)).toMatchObject({
      myLba: 20_971_519,
      alternateLba: 1,
      partitionEntryLba: 20_971_487,
    })
  })

  test('boot code in front of the records stays', async () => {
    const device = memoryDevice(SAMPLE.size)
    await device.write(0, new Uint8Array(440).fill(0x90))
    await writeGpt(SAMPLE, device)
    const code = new Uint8Array(446)
    await device.read(0, code)
    expect(code.subarray(0, 440).every((byte) => byte === 0x90)).toBe(true)
  })

  const mistakes: [what: string, table: PartitionTable][] = [
    ['overlap', table([partition(1, 1, 5), partition(2, 5, 5)])],
    ['start', table([partition(1, 0, 5)])],
    ['end', table([partition(1, 1, 63)])],
    ['the same number', table([partition(1, 1, 1), partition(1, 2, 1)])],
    ['number 129', table([partition(129, 1, 1)])],
    ['half a sector', table([partition(1, 1, 1, { size: 100 })])],
    ['a long label', table([partition(1, 1, 1, { label: 'x'.repeat(37) })])],
    ['bit 64', table([partition(1, 1, 1, { attributes: [64] })])],
    ['sectors of 1024', table([], 64 * MiB, 1024)],
    ['a disk of odd size', table([], 64 * MiB - 1)],
  ]
  test.each(mistakes)('refuses %s', async (_, mistaken) => {
    const device = memoryDevice(64 * MiB)
    await expect(writeGpt(mistaken, device)).rejects.toMatchObject({ code: 'PARTITION_TABLE_INVALID' })
    for await (const _range of device.dataRanges()) expect.unreachable('nothing may be written')
  })

  test('refuses a device that is smaller than the disk', async () => {
    await expect(writeGpt(SAMPLE, memoryDevice(MiB))).rejects.toMatchObject({ code: 'DEVICE_TOO_SMALL' })
  })
})

describe('readGpt', () => {
  test('random tables come back equal', async () => {
    const sizes = fc.array(fc.record({ gap: fc.nat(20), size: fc.integer({ min: 1, max: 500 }) }), {
      maxLength: 128,
    })
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.constantFrom(512, 4096),
        fc.array(fc.nat(63)),
        async (given, sectorSize, bits) => {
          let at = MiB / sectorSize
          const partitions = given.map(({ gap, size }, index) => {
            const start = at + gap
            at = start + size
            const attributes = [...new Set(bits)].sort((a, b) => a - b)
            const place = { start: start * sectorSize, size: size * sectorSize, attributes }
            return partition(index + 1, 0, 0, { ...place, label: `№ ${index}` })
          })
          const expected = table(partitions, 512 * MiB, sectorSize)
          expect(await readGpt(await written(expected))).toEqual({ ...expected, copy: 'primary' })
        },
      ),
      { numRuns: 50 },
    )
  })

  const damages: [what: string, offset: number][] = [
    ['signature', 512],
    ['header', 512 + 40],
    ['entries', 1024 + 5],
  ]
  test.each(damages)('takes the backup when the primary %s is damaged', async (_, offset) => {
    const device = await written(SAMPLE)
    await device.write(offset, Uint8Array.of(0x77))
    expect(await readGpt(device)).toEqual({ ...SAMPLE, copy: 'backup' })
  })

  test('tells about the primary when both are damaged', async () => {
    const device = await written(SAMPLE)
    await device.write(1024, Uint8Array.of(0x77))
    await device.write(SAMPLE.size - 512 + 20, Uint8Array.of(0x77))
    await expect(readGpt(device)).rejects.toMatchObject({
      code: 'FORMAT_CHECKSUM',
      details: { offset: 1024 },
    })
  })

  test('a disk without a protective MBR is no GPT disk', async () => {
    const device = await written(SAMPLE)
    await device.write(0x1c2, Uint8Array.of(0x83))
    await expect(readGpt(device)).rejects.toThrow(/type EE/)
  })

  test('truncations end in FormatError', async () => {
    const bytes = await readAll(await written(SAMPLE))
    for (const length of [0, 1, 511, 512, 1000, 1024, 1536, 17_407, 20_000, MiB, SAMPLE.size / 2]) {
      await expect(readGpt(memorySource(bytes.subarray(0, length))), `${length}`).rejects.toThrow(FormatError)
    }
  })

  test('flipped bits are found or harmless, also under valid checksums', async () => {
    const small = table([partition(1, 1, 1), partition(2, 2, 1, { attributes: [2] })], 4 * MiB)
    const bytes = await readAll(await written(small))
    const header = fc.integer({ min: 512 * 8, max: (512 + 92) * 8 - 1 })
    const entries = fc.integer({ min: 1024 * 8, max: 1536 * 8 - 1 })
    const backup = fc.integer({ min: (small.size - 33 * 512) * 8, max: small.size * 8 - 1 })
    const flips = fc.array(fc.oneof(header, entries, backup), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(flips, fc.boolean(), async (bits, reseal) => {
        const damaged = bytes.slice()
        for (const bit of bits) damaged[bit >> 3]! ^= 1 << (bit & 7)
        if (reseal) {
          GptHeader.write(damaged, 512, { partitionEntryArrayCrc32: crc32(damaged.subarray(1024, 17_408)) })
          GptHeader.write(damaged, 512, { headerCrc32: 0 })
          GptHeader.write(damaged, 512, { headerCrc32: crc32(damaged.subarray(512, 604)) })
        }
        const result = await readGpt(memorySource(damaged)).catch((error: unknown) => error)
        if (result instanceof Error) expect(result).toBeInstanceOf(FormatError)
        else
          for (const { start, size } of (result as PartitionTable).partitions) {
            expect(start + size).toBeLessThanOrEqual(small.size)
          }
      }),
      { numRuns: 150 },
    )
  })
})
