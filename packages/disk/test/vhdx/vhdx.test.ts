import {
  type BootableError,
  equalBytes,
  FormatError,
  fromHex,
  guidToBytes,
  memorySink,
  memorySource,
  readAll,
  zeroSource,
} from '@bootable/bytes'
import { readVhdx, type WriteVhdxOptions, writeVhdx } from '@bootable/disk/vhdx'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checksumOf, HAS_PARENT, METADATA_REQUIRED, PARENT_LOCATOR } from '../../src/vhdx/format.ts'
import { batIndex, layoutVhdx } from '../../src/vhdx/layout.ts'
import { content, disk, exhaust, MiB, written } from '../blocks/samples.ts'

const KiB = 1024
const GiB = 1024 * MiB
const TiB = 1024 * GiB
const BAT = 2 * MiB
const METADATA = 3 * MiB

const convert = async (options: Partial<WriteVhdxOptions> = {}): Promise<Uint8Array> => {
  const source = await disk(20 * MiB, [
    [4096, content('text', 70_000, 1)],
    [17 * MiB, content('noise', 70_000, 2)],
  ])
  return readAll(await written((target) => writeVhdx(source, target, { seed: 'lab', ...options })))
}

describe('layout', () => {
  test('blocks are as large as QEMU makes them', () => {
    const sizes = [GiB, GiB + 1, 100 * GiB, 100 * GiB + 1, 32 * TiB, 32 * TiB + 1, 64 * TiB]
    const blocks = sizes.map((size) => layoutVhdx(size, 512).blockSize / MiB)
    expect(blocks).toEqual([8, 16, 16, 32, 32, 64, 64])
  })

  test('regions of any disk follow each other, and the table has room for every block', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 * TiB }), fc.constantFrom(512, 4096), (size, sectorSize) => {
        const { log, bat, batLength, metadata, payload, blocks, blockSize } = layoutVhdx(size, sectorSize)
        for (const position of [log, bat, batLength, metadata, payload]) expect(position % MiB).toBe(0)
        expect(log).toBe(MiB)
        expect(bat).toBe(2 * MiB)
        expect(metadata).toBe(bat + batLength)
        expect(payload).toBe(metadata + 5 * MiB)
        expect((blocks - 1) * blockSize).toBeLessThan(size)
        expect(blocks * blockSize).toBeGreaterThanOrEqual(size)
        expect((batIndex(blocks - 1, blockSize, sectorSize) + 1) * 8).toBeLessThanOrEqual(batLength)
      }),
    )
  })

  test('after every 4 GiB of a disk, in sectors of 512 bytes, stands the entry of a sector bitmap', () => {
    expect([511, 512, 1023, 1024].map((block) => batIndex(block, 8 * MiB, 512))).toEqual([
      511, 513, 1024, 1026,
    ])
    expect([4095, 4096].map((block) => batIndex(block, 8 * MiB, 4096))).toEqual([4095, 4097])
  })
})

describe('writeVhdx', () => {
  test('sectors and id are those of the options', async () => {
    const uuid = '12345678-9abc-4def-8123-456789abcdef'
    const bytes = await convert({ sectorSize: 4096, uuid })
    expect((await readVhdx(memorySource(bytes))).info).toEqual({
      type: 'dynamic',
      size: 20 * MiB,
      blockSize: 8 * MiB,
      sectorSize: 4096,
      physicalSectorSize: 4096,
      uuid,
    })
    const physical = await convert({ physicalSectorSize: 4096 })
    expect((await readVhdx(memorySource(physical))).info).toMatchObject({
      sectorSize: 512,
      physicalSectorSize: 4096,
    })
    expect(equalBytes(await convert(), await convert())).toBe(true)
    expect(equalBytes(await convert({ seed: 'other' }), await convert())).toBe(false)
  })

  test('options and sizes that the format does not know are refused before anything is written', async () => {
    const sink = memorySink()
    const options = { seed: 'lab', uuid: 'none', sectorSize: 520 as 512 }
    const error = await writeVhdx(zeroSource(MiB), sink, options).catch((reason: unknown) => reason)
    expect((error as BootableError).details.problems).toMatchObject([
      { option: 'sectorSize' },
      { option: 'physicalSectorSize' },
      { option: 'uuid' },
    ])
    const large = writeVhdx(zeroSource(64 * TiB + 512), sink, { seed: 'lab' })
    await expect(large).rejects.toMatchObject({ code: 'CONTAINER_LIMIT' })
    expect(sink.size).toBe(0)
  })

  test('the largest disk', async () => {
    const piece = content('noise', 70_000, 1)
    const source = await disk(64 * TiB, [[64 * TiB - 70_000, piece]])
    const image = await readVhdx(await written((target) => writeVhdx(source, target, { seed: 'lab' })))
    const data = new Uint8Array(70_000)
    await image.read(64 * TiB - 70_000, data)
    expect(equalBytes(data, piece)).toBe(true)
  })
})

describe('readVhdx', () => {
  /** Changes bytes of a header, or of a region table, and mends its checksum. */
  const seal = (bytes: Uint8Array, offset: number, size: number): void => {
    const structure = bytes.subarray(offset, offset + size)
    new DataView(bytes.buffer).setUint32(offset + 4, checksumOf(structure), true)
  }
  const header =
    (at: number, ...values: number[]) =>
    (bytes: Uint8Array): void => {
      for (const offset of [64 * KiB, 128 * KiB]) {
        bytes.set(values, offset + at)
        seal(bytes, offset, 4096)
      }
    }
  const regions =
    (at: number, values: Uint8Array | number[]) =>
    (bytes: Uint8Array): void => {
      for (const offset of [192 * KiB, 256 * KiB]) {
        bytes.set(values, offset + at)
        seal(bytes, offset, 64 * KiB)
      }
    }
  const put =
    (offset: number, ...values: number[]) =>
    (bytes: Uint8Array): void =>
      bytes.set(values, offset)
  const unknown = fromHex('00112233445566778899aabbccddeeff')
  const item = (entry: number): number => METADATA + 32 + entry * 32

  const refusals: [what: string, edit: (bytes: Uint8Array) => void, code: string][] = [
    ['another signature', put(0, 0), 'FORMAT_INVALID'],
    ['version 2', header(0x42, 2), 'FORMAT_UNSUPPORTED'],
    ['a log that has entries', header(0x30, 1), 'FORMAT_UNSUPPORTED'],
    ['no header', (bytes) => bytes.fill(0, 64 * KiB, 192 * KiB), 'FORMAT_INVALID'],
    [
      'headers with other checksums',
      (bytes) => [64, 128].map((at) => bytes.fill(1, at * KiB + 100, at * KiB + 101)),
      'FORMAT_CHECKSUM',
    ],
    ['no region table', (bytes) => bytes.fill(0, 192 * KiB, 320 * KiB), 'FORMAT_INVALID'],
    ['2048 regions', regions(8, [0, 8]), 'FORMAT_INVALID'],
    ['an unknown region that is required', regions(16, unknown), 'FORMAT_UNSUPPORTED'],
    ['no region of metadata', regions(8, [1]), 'FORMAT_INVALID'],
    ['a region twice', regions(48, guidToBytes('2dc27766-f623-4200-9d64-115e9bfd4a08')), 'FORMAT_INVALID'],
    ['a region inside a MiB', regions(32, [0, 2]), 'FORMAT_INVALID'],
    ['a region outside', regions(32, [0, 0, 0, 0xff]), 'FORMAT_TRUNCATED'],
    ['metadata without signature', put(METADATA, 0), 'FORMAT_INVALID'],
    ['an unknown item that is required', put(item(0), ...unknown), 'FORMAT_UNSUPPORTED'],
    ['an item too few', put(METADATA + 10, 4), 'FORMAT_INVALID'],
    ['an item twice', (bytes) => bytes.copyWithin(item(1), item(0), item(0) + 16), 'FORMAT_INVALID'],
    ['an item inside the table', put(item(0) + 16, 0, 0, 0), 'FORMAT_INVALID'],
    ['an item of another length', put(item(0) + 20, 9), 'FORMAT_INVALID'],
    ['a differencing disk', put(METADATA + 64 * KiB + 4, 2), 'FORMAT_UNSUPPORTED'],
    ['blocks of 512 KiB', put(METADATA + 64 * KiB, 0, 0, 8, 0), 'FORMAT_INVALID'],
    ['blocks of 512 MiB', put(METADATA + 64 * KiB, 0, 0, 0, 32), 'FORMAT_INVALID'],
    ['a size in parts of a sector', put(METADATA + 64 * KiB + 8, 1), 'FORMAT_INVALID'],
    ['a size of 128 TiB', put(METADATA + 64 * KiB + 13, 0x80), 'FORMAT_INVALID'],
    ['sectors of 1024 bytes', put(METADATA + 64 * KiB + 32, 0, 4), 'FORMAT_INVALID'],
    ['a size that the table does not cover', put(METADATA + 64 * KiB + 13, 0x20), 'FORMAT_INVALID'],
    ['a block outside', put(BAT + 4, 1), 'FORMAT_TRUNCATED'],
    ['a block in the header section', put(BAT, 6, 0, 0), 'FORMAT_INVALID'],
    ['a block that is partly in a parent', put(BAT, 7), 'FORMAT_UNSUPPORTED'],
    ['a block state that is not known', put(BAT, 4), 'FORMAT_INVALID'],
    ['blocks that overlap', (bytes) => bytes.copyWithin(BAT + 16, BAT, BAT + 8), 'FORMAT_INVALID'],
  ]
  test.each(refusals)('%s is refused', async (_, edit, code) => {
    const bytes = await convert()
    edit(bytes)
    const error = await exhaust(bytes, readVhdx)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as FormatError).code).toBe(code)
  })

  test('a disk with a parent is refused as such, not for the item that names the parent', async () => {
    const bytes = await convert()
    put(METADATA + 10, 6)(bytes)
    put(item(5), ...guidToBytes(PARENT_LOCATOR))(bytes)
    put(item(5) + 24, METADATA_REQUIRED)(bytes)
    put(METADATA + 64 * KiB + 4, HAS_PARENT)(bytes)
    await expect(readVhdx(memorySource(bytes))).rejects.toThrow(/differencing/)
  })

  test('one header and one region table are enough', async () => {
    for (const damaged of [64, 128, 192, 256]) {
      const bytes = await convert()
      bytes.fill(0, damaged * KiB, damaged * KiB + 64)
      expect(await exhaust(bytes, readVhdx)).toBeUndefined()
    }
  })

  test('the header with the higher number counts', async () => {
    const bytes = await convert()
    // The second one has it, and says that there is something in the log.
    bytes[128 * KiB + 0x30] = 1
    seal(bytes, 128 * KiB, 4096)
    await expect(readVhdx(memorySource(bytes))).rejects.toThrow(/log/)
    bytes[64 * KiB + 8] = 9
    seal(bytes, 64 * KiB, 4096)
    expect(await exhaust(bytes, readVhdx)).toBeUndefined()
  })

  test('a region that is unknown and not required is no matter', async () => {
    const bytes = await convert()
    regions(8, [3])(bytes)
    regions(16 + 64, unknown)(bytes)
    expect(await exhaust(bytes, readVhdx)).toBeUndefined()
  })
})
