import { BootableError, FormatError, memorySink, memorySource, readAll, utf8, zlib } from '@bootable/bytes'
import { readVmdk, type WriteVmdkOptions, writeVmdk } from '@bootable/disk/vmdk'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDescriptor, parseDescriptor } from '../../src/vmdk/descriptor.ts'
import { layoutVmdk, TABLE_SECTORS, tableSector } from '../../src/vmdk/layout.ts'
import { BLOCK, content, disk, exhaust, MiB, written } from '../blocks/samples.ts'

const SECTOR = 512

const convert = async (options: Partial<WriteVmdkOptions> = {}): Promise<Uint8Array> => {
  const source = await disk(64 * MiB, [
    [0, content('text', 2 * BLOCK, 1)],
    [40 * MiB, content('noise', BLOCK, 2)],
  ])
  return readAll(await written((target) => writeVmdk(source, target, { seed: 'lab', ...options })))
}

describe('layout', () => {
  test('the positions that were measured on images of qemu-img', () => {
    expect(layoutVmdk(16 * MiB)).toMatchObject({ redundantDirectory: 21, directory: 26, overHead: 128 })
    expect(layoutVmdk(10 * 1024 * MiB)).toMatchObject({
      redundantDirectory: 21,
      directory: 1304,
      overHead: 2688,
    })
  })

  test('directories and tables of any disk follow each other and end before the grains', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 * 1024 ** 4 }), (size) => {
        const layout = layoutVmdk(size)
        const { capacity, tables, directorySectors, redundantDirectory, directory, overHead } = layout
        expect(capacity * SECTOR - size).toBeGreaterThanOrEqual(0)
        expect(capacity * SECTOR - size).toBeLessThan(SECTOR)
        expect(tables).toBe(Math.ceil(size / (32 * MiB)))
        expect(directorySectors * SECTOR).toBeGreaterThanOrEqual(tables * 4)
        expect(redundantDirectory).toBe(21)
        expect(tableSector(layout, redundantDirectory, tables - 1) + TABLE_SECTORS).toBe(directory)
        const end = tableSector(layout, directory, tables - 1) + TABLE_SECTORS
        expect(overHead - end).toBeGreaterThanOrEqual(0)
        expect(overHead - end).toBeLessThan(128)
        expect(overHead % 128).toBe(0)
      }),
    )
  })
})

describe('writeVmdk', () => {
  test('the CID is that of the seed, or the one given', async () => {
    const cid = async (options: Partial<WriteVmdkOptions>): Promise<string> =>
      (await readVmdk(memorySource(await convert(options)))).info.cid
    expect(await cid({})).toBe(await cid({}))
    expect(await cid({ seed: 'other' })).not.toBe(await cid({}))
    expect(await cid({ cid: 0xabcd })).toBe('abcd')
  })

  test('adapter and file name stand in the descriptor', async () => {
    const bytes = await convert({ adapterType: 'lsilogic', fileName: 'image ü.vmdk' })
    const text = new TextDecoder().decode(bytes.subarray(SECTOR, 21 * SECTOR))
    expect(text).toContain('RW 131072 SPARSE "image ü.vmdk"\n')
    expect(text).toContain('ddb.geometry.heads = "255"\nddb.geometry.sectors = "63"\n')
    expect((await readVmdk(memorySource(bytes))).info.adapterType).toBe('lsilogic')
  })

  test('all wrong options are told at once, before anything is written', async () => {
    const sink = memorySink()
    const options = { seed: 'lab', adapterType: 'scsi' as 'ide', fileName: 'a"b', cid: -1 }
    const error = await writeVmdk(memorySource(new Uint8Array(MiB)), sink, options).catch((e: unknown) => e)
    expect(BootableError.is(error, 'CONTAINER_OPTIONS_INVALID')).toBe(true)
    expect((error as BootableError).details.problems).toMatchObject([
      { option: 'adapterType' },
      { option: 'fileName' },
      { option: 'cid' },
    ])
    expect(sink.size).toBe(0)
  })

  test('more than sectors of 32 bits can count is refused', async () => {
    const sink = memorySink()
    const source = { size: 3 * 1024 ** 4, read: async () => {} }
    await expect(writeVmdk(source, sink, { seed: 'lab' })).rejects.toMatchObject({ code: 'CONTAINER_LIMIT' })
    expect(sink.size).toBe(0)
  })
})

describe('readVmdk', () => {
  const open = (source: Parameters<typeof readVmdk>[0]): ReturnType<typeof readVmdk> => readVmdk(source)
  /** Sector of the first grain's marker, and position of its entry. */
  const first = (bytes: Uint8Array): { grain: number; entry: number } => {
    const view = new DataView(bytes.buffer)
    const table = view.getUint32(view.getUint32(0x38, true) * SECTOR, true) * SECTOR
    return { grain: view.getUint32(table, true) * SECTOR, entry: table }
  }
  const replace = (from: string, to: string) => (bytes: Uint8Array) => {
    const text = new TextDecoder('latin1').decode(bytes.subarray(SECTOR, 2 * SECTOR))
    bytes.set(utf8(text.replace(from, to)).subarray(0, SECTOR), SECTOR)
  }
  const put =
    (offset: number, ...values: number[]) =>
    (bytes: Uint8Array): void =>
      bytes.set(values, offset)

  const refusals: [what: string, change: (bytes: Uint8Array) => void, code: string][] = [
    ['another magic', put(0, 0x4c), 'FORMAT_INVALID'],
    ['a COWD extent', put(0, 0x43, 0x4f, 0x57, 0x44), 'FORMAT_UNSUPPORTED'],
    ['version 4', put(4, 4), 'FORMAT_UNSUPPORTED'],
    ['compressed grains without markers', put(10, 1), 'FORMAT_UNSUPPORTED'],
    ['a capacity above 2^53 bytes', put(0x10, 0, 0, 0x20), 'FORMAT_INVALID'],
    ['grains of 3 sectors', put(0x14, 3), 'FORMAT_INVALID'],
    ['grains of no sector', put(0x14, 0), 'FORMAT_INVALID'],
    ['grains of 32 MiB', put(0x14, 0, 0, 1), 'FORMAT_INVALID'],
    ['no descriptor', put(0x1c, 0), 'FORMAT_UNSUPPORTED'],
    ['a descriptor outside', put(0x1f, 0xff), 'FORMAT_TRUNCATED'],
    ['a descriptor of 16 MiB', put(0x24, 0, 0x80), 'FORMAT_INVALID'],
    ['tables of 513 entries', put(0x2c, 1, 2), 'FORMAT_INVALID'],
    ['a directory outside', put(0x3b, 0xff), 'FORMAT_TRUNCATED'],
    ['a footer that is not there', put(0x38, ...Array(8).fill(0xff)), 'FORMAT_INVALID'],
    ['lines that were changed', put(0x4a, 0x0d), 'FORMAT_INVALID'],
    ['another compression', put(0x4d, 2), 'FORMAT_INVALID'],
    ['an empty descriptor', put(SECTOR, 0), 'FORMAT_UNSUPPORTED'],
    ['a flat disk', replace('streamOptimized', 'monolithicFlat '), 'FORMAT_UNSUPPORTED'],
    ['a parent', replace('parentCID=ffffffff', 'parentCID=12345678'), 'FORMAT_UNSUPPORTED'],
    ['two extents', replace('\n# The Disk', 'RW 1 SPARSE "b"\n# The Disk'), 'FORMAT_UNSUPPORTED'],
    ['a descriptor without CID', replace('\nCID=', '\nXID='), 'FORMAT_INVALID'],
    [
      'a grain outside',
      (bytes) => bytes.fill(0xff, first(bytes).entry, first(bytes).entry + 4),
      'FORMAT_TRUNCATED',
    ],
    [
      'a grain of another sector',
      (bytes) => bytes.fill(1, first(bytes).grain, first(bytes).grain + 1),
      'FORMAT_INVALID',
    ],
    [
      'a grain without bytes',
      (bytes) => bytes.fill(0, first(bytes).grain + 8, first(bytes).grain + 12),
      'FORMAT_INVALID',
    ],
    [
      'a grain of 4 GiB',
      (bytes) => bytes.fill(0xff, first(bytes).grain + 8, first(bytes).grain + 12),
      'FORMAT_INVALID',
    ],
    [
      'a grain that is no zlib stream',
      (bytes) => bytes.fill(0, first(bytes).grain + 12, first(bytes).grain + 14),
      'FORMAT_INVALID',
    ],
  ]
  test.each(refusals)('%s is refused', async (_, change, code) => {
    const bytes = await convert()
    change(bytes)
    const error = await exhaust(bytes, open)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as FormatError).code).toBe(code)
  })

  test('two entries of the directory for one table are refused', async () => {
    const bytes = await convert()
    const view = new DataView(bytes.buffer)
    const directory = view.getUint32(0x38, true) * SECTOR
    bytes.copyWithin(directory + 4, directory, directory + 4)
    await expect(open(memorySource(bytes))).rejects.toThrow(/overlap/)
  })

  test('a grain that is shorter than a grain is refused, but for the last one', async () => {
    const bytes = await convert()
    const stream = await zlib(new Uint8Array(BLOCK - SECTOR))
    const { grain } = first(bytes)
    bytes.set(stream, grain + 12)
    new DataView(bytes.buffer).setUint32(grain + 8, stream.length, true)
    await expect(open(memorySource(bytes)).then(readAll)).rejects.toThrow(/does not fill/)
    // As if the disk ended there.
    new DataView(bytes.buffer).setUint32(0x0c, (BLOCK - SECTOR) / SECTOR, true)
    expect((await readAll(await open(memorySource(bytes)))).length).toBe(BLOCK - SECTOR)
  })

  test('descriptors with the line ends of Windows', async () => {
    const bytes = await convert()
    const text = formatDescriptor({ cid: 7, sectors: 131_072, fileName: 'a', adapterType: 'buslogic' })
    bytes.fill(0, SECTOR, 21 * SECTOR).set(utf8(text.replaceAll('\n', '\r\n')), SECTOR)
    const { info } = await open(memorySource(bytes))
    expect(info).toMatchObject({ cid: '7', adapterType: 'buslogic', createType: 'streamOptimized' })
  })

  test('values with and without quotes and blanks; a line as long as a descriptor takes no time', () => {
    const lines = ['createType="monolithicSparse"', ' CID = 1f ', 'parentCID=ffffffff', 'RW 1 SPARSE "a=b"']
    const text = [...lines, 'ddb.adapterType = " ide "', `a=${' '.repeat(2 ** 20)}b"c`].join('\n')
    expect(parseDescriptor(text, SECTOR)).toEqual({
      createType: 'monolithicSparse',
      cid: '1f',
      adapterType: ' ide ',
    })
  })
})
