import { FormatError, GiB, MiB, memoryDevice, memorySource } from '@bootable/bytes'
import { openDisk, type Partition, type PartitionTable, readMbr, writeMbr } from '@bootable/disk'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MbrRecord } from '../../src/mbr/format.ts'

const UUID = '1234abcd'

function table(
  partitions: readonly Partial<Partition>[],
  rest: Partial<PartitionTable> = {},
): PartitionTable {
  return {
    ...{ type: 'dos', uuid: UUID, size: 10 * GiB, sectorSize: 512, ...rest },
    partitions: partitions.map((partition, index) => ({
      ...{ number: index + 1, type: '83', uuid: `${UUID}-0${index + 1}`, label: '', attributes: [] },
      ...{ start: (1 + index) * MiB, size: MiB, ...partition },
    })),
  }
}

async function sectorOf(given: PartitionTable): Promise<Uint8Array> {
  const device = memoryDevice(given.size)
  await writeMbr(given, device)
  const sector = new Uint8Array(512)
  await device.read(0, sector)
  return sector
}

const record = (sector: Uint8Array, index: number) => MbrRecord.read(sector, 0x1be + index * 16)

describe('writeMbr', () => {
  test('writes records, serial number and signature, and no byte of the boot code', async () => {
    const device = memoryDevice(10 * GiB)
    await device.write(0, new Uint8Array(440).fill(0xb0))
    await writeMbr(table([{ type: 'ef' }, { attributes: [7], size: 8 * GiB }]), device)
    const sector = new Uint8Array(512)
    await device.read(0, sector)
    expect(sector.subarray(0, 440).every((byte) => byte === 0xb0)).toBe(true)
    expect([...sector.subarray(440, 446)]).toEqual([0xcd, 0xab, 0x34, 0x12, 0, 0])
    expect([...sector.subarray(510)]).toEqual([0x55, 0xaa])
    expect(record(sector, 0)).toMatchObject({
      bootIndicator: 0,
      osType: 0xef,
      startingLba: 2048,
      sizeInLba: 2048,
    })
    expect(record(sector, 1)).toMatchObject({ bootIndicator: 0x80, osType: 0x83, sizeInLba: 16_777_216 })
    // As sfdisk writes them: 255 heads, 63 sectors, and FE FF FF past cylinder 1023.
    expect([...record(sector, 0).startingChs]).toEqual([0x20, 0x21, 0x00])
    expect([...record(sector, 1).endingChs]).toEqual([0xfe, 0xff, 0xff])
  })

  test.each<[string, readonly Partial<Partition>[], Partial<PartitionTable>?]>([
    ['are not whole 512-byte sectors', [{ start: MiB + 1 }]],
    ['before 2097152, where it may', [{}, { start: MiB }]],
    ['starts at byte 0', [{ start: 0 }]],
    ['is there twice', [{}, { number: 1 }]],
    ['numbers 1 to 4', [{ number: 5 }]],
    ['past 10737418240', [{ size: 10 * GiB }]],
    ['two hexadecimal digits', [{ type: '0fc63daf-8483-4772-8e79-3d69d8477de4' }]],
    ['has no labels', [{ label: 'x' }]],
    ['the only attribute is 7', [{ attributes: [2] }]],
    ['more than one partition is active', [{ attributes: [7] }, { attributes: [7] }]],
    ['eight hexadecimal digits', [{}], { uuid: 'x' }],
    ['which a DOS table cannot say', [{ size: 2 ** 41 }], { size: 2 ** 42 }],
  ])('refuses what is not a table: %s', async (message, partitions, rest) => {
    const given = table(partitions, rest)
    const device = { ...memoryDevice(MiB), size: given.size }
    await expect(writeMbr(given, device)).rejects.toMatchObject({
      code: 'PARTITION_TABLE_INVALID',
      message: expect.stringContaining(message),
    })
  })

  test('refuses a device that is too small', async () => {
    await expect(writeMbr(table([]), memoryDevice(MiB))).rejects.toMatchObject({ code: 'DEVICE_TOO_SMALL' })
  })
})

/** Partitions that fit on a disk, with gaps. */
const partitions = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 2 ** 22 })), { maxLength: 4 })
  .map((pieces) => {
    let lba = 0
    return pieces.map(([gap, length]) => {
      const start = lba + gap
      lba = start + length
      return { start: start * 512, size: length * 512 }
    })
  })

test('random tables come back', () =>
  fc.assert(
    fc.asyncProperty(
      partitions,
      fc.constantFrom('83', '82', '8e', 'ef', '0c'),
      fc.nat(4),
      fc.constantFrom(512 as const, 4096 as const),
      async (places, type, active, sectorSize) => {
        const scale = sectorSize / 512
        const size = 2 ** 35 * scale
        const given = table(
          places.map(({ start, size: length }, index) => ({
            ...{ start: start * scale, size: length * scale, type },
            attributes: index === active ? [7] : [],
          })),
          { size, sectorSize },
        )
        const sector = await sectorOf(given)
        const source = { size, read: (at: number, to: Uint8Array) => memorySource(sector).read(at, to) }
        expect(await readMbr(source, { sectorSize })).toEqual(given)
      },
    ),
    { numRuns: 100 },
  ))

describe('readMbr', () => {
  /** A disk with a chain of logical partitions, as fdisk makes it. */
  async function extended(links: readonly [at: number, next?: number][]) {
    const size = 64 * MiB
    const device = memoryDevice(size)
    await writeMbr(
      table(
        [
          { start: MiB, size: MiB },
          { start: 2 * MiB, size: 62 * MiB, type: '05' },
        ],
        { size },
      ),
      device,
    )
    for (const [at, next] of links) {
      const sector = new Uint8Array(512)
      MbrRecord.write(sector, 0x1be, { osType: 0x83, startingLba: 2048, sizeInLba: 2048 })
      if (next !== undefined) {
        MbrRecord.write(sector, 0x1ce, { osType: 0x05, startingLba: next - 4096, sizeInLba: 4096 })
      }
      sector.set([0x55, 0xaa], 510)
      await device.write(at * 512, sector)
    }
    return device
  }

  test('follows extended partitions', async () => {
    const device = await extended([[4096, 8192], [8192, 16_384], [16_384]])
    const { partitions: found } = await readMbr(device)
    expect(found.map(({ number, start, uuid }) => [number, start / MiB, uuid])).toEqual([
      [1, 1, '1234abcd-01'],
      [5, 3, '1234abcd-05'],
      [6, 5, '1234abcd-06'],
      [7, 9, '1234abcd-07'],
    ])
    expect((await openDisk(device)).type).toBe('dos')
  })

  test('stops in a loop', async () => {
    const device = await extended([
      [4096, 8192],
      [8192, 4096],
    ])
    await expect(readMbr(device)).rejects.toThrow('a loop')
  })

  test('refuses what is no table', async () => {
    await expect(readMbr(memorySource(new Uint8Array(100)))).rejects.toMatchObject({
      code: 'FORMAT_TRUNCATED',
    })
    await expect(readMbr(memorySource(new Uint8Array(512)))).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
    const protective = new Uint8Array(512)
    protective.set([0x55, 0xaa], 510)
    protective[0x1be + 4] = 0xee
    await expect(readMbr(memorySource(protective))).rejects.toThrow('the protective MBR of a GPT')
  })

  test('flipped bits end in FormatError or in a table', async () => {
    const sector = await sectorOf(table([{}, { attributes: [7] }, { type: '05' }], { size: 64 * MiB }))
    for (let bit = 440 * 8; bit < 512 * 8; bit++) {
      const damaged = sector.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      const source = { size: 64 * MiB, read: (at: number, to: Uint8Array) => device(damaged).read(at, to) }
      await readMbr(source).catch((error: unknown) => expect(error).toBeInstanceOf(FormatError))
    }
  })
})

function device(sector: Uint8Array) {
  return {
    async read(offset: number, target: Uint8Array): Promise<void> {
      target.fill(0)
      if (offset < 512) target.set(sector.subarray(offset, offset + target.length))
    },
  }
}
