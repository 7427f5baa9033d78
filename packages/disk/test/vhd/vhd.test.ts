import {
  type BootableError,
  type ByteSource,
  equalBytes,
  FormatError,
  memorySink,
  memorySource,
  readAll,
  zeroSource,
} from '@bootable/bytes'
import { readVhd, writeVhd } from '@bootable/disk/vhd'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checksum, DynamicHeader, Footer } from '../../src/vhd/format.ts'
import { content, exhaust, MiB, written } from '../blocks/samples.ts'

const SECTOR = 512
const BLOCK = 32_768
const BITMAP = SECTOR

const convert = async (size: number, time?: number): Promise<Uint8Array> => {
  const options = { seed: 'lab', ...(time === undefined ? {} : { time }) }
  return readAll(await written((target) => writeVhd(memorySource(content('text', size, 1)), target, options)))
}

/** Changes a footer, or a dynamic header, and mends its checksum. */
function change(
  bytes: Uint8Array,
  offset: number,
  table: typeof Footer | typeof DynamicHeader,
  edit: () => void,
): void {
  edit()
  const structure = bytes.subarray(offset, offset + table.size)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  view.setUint32(offset + table.fields.checksum.offset, checksum(structure, table.fields.checksum))
}

/** A dynamic disk of four blocks: the first whole, the second in part, the third absent, the last empty. */
async function dynamicDisk(): Promise<{ bytes: Uint8Array; expected: Uint8Array }> {
  const size = 4 * BLOCK
  const data = content('noise', size, 3)
  const slot = BITMAP + BLOCK
  const blocks = 2048
  const bytes = new Uint8Array(blocks + 3 * slot + SECTOR)
  const footer = (await convert(size)).slice(size)
  change(footer, 0, Footer, () => Footer.write(footer, 0, { diskType: 3, dataOffset: 512n }))
  bytes.set(footer)
  bytes.set(footer, bytes.length - SECTOR)
  change(bytes, 512, DynamicHeader, () =>
    DynamicHeader.write(bytes, 512, {
      cookie: 'cxsparse',
      dataOffset: 2n ** 64n - 1n,
      tableOffset: 1536,
      headerVersion: 0x1_0000,
      maxTableEntries: 4,
      blockSize: BLOCK,
    }),
  )
  const view = new DataView(bytes.buffer)
  // Out of order, as they come when a guest writes.
  const starts = [blocks + slot, blocks, undefined, blocks + 2 * slot]
  for (const [index, start] of starts.entries()) {
    view.setUint32(1536 + index * 4, start === undefined ? 0xffff_ffff : start / SECTOR)
    if (start !== undefined) bytes.set(data.subarray(index * BLOCK, (index + 1) * BLOCK), start + BITMAP)
  }
  const expected = data.slice()
  bytes.fill(0xff, blocks + slot, blocks + slot + 8)
  bytes.set([0b1000_0001], blocks + 2) // sectors 16 and 23 of the second block
  for (let sector = 0; sector < 64; sector++) {
    const at = BLOCK + sector * SECTOR
    if (sector !== 16 && sector !== 23) expected.fill(0, at, at + SECTOR)
  }
  expected.fill(0, 2 * BLOCK)
  return { bytes, expected }
}

describe('writeVhd', () => {
  test('id and time are those of seed and options', async () => {
    const info = async (bytes: Uint8Array): Promise<object> => (await readVhd(memorySource(bytes))).info
    expect(await info(await convert(MiB, 1_700_000_000))).toEqual({
      type: 'fixed',
      size: MiB,
      creator: 'qem2',
      uuid: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      time: 1_700_000_000,
    })
    expect(await info(await convert(MiB))).toMatchObject({ time: 946_684_800 })
    expect(equalBytes(await convert(MiB), await convert(MiB))).toBe(true)
  })

  test('options and sizes that the format does not know are refused before anything is written', async () => {
    const sink = memorySink()
    const options = { seed: 'lab', uuid: 'none', time: 5 }
    const error = await writeVhd(zeroSource(MiB), sink, options).catch((reason: unknown) => reason)
    expect((error as BootableError).details.problems).toMatchObject([{ option: 'uuid' }, { option: 'time' }])
    const large = writeVhd(zeroSource(2040 * 1024 ** 3 + SECTOR), sink, { seed: 'lab' })
    await expect(large).rejects.toMatchObject({ code: 'CONTAINER_LIMIT' })
    expect(sink.size).toBe(0)
  })
})

describe('readVhd', () => {
  test('the size of a file of Virtual PC is that of its geometry', async () => {
    const bytes = await convert(MiB)
    const footer = bytes.length - SECTOR
    change(bytes, footer, Footer, () =>
      Footer.write(bytes, footer, {
        creatorApplication: 'vpc ',
        cylinders: 30,
        heads: 4,
        sectorsPerTrack: 17,
      }),
    )
    expect((await readVhd(memorySource(bytes))).size).toBe(30 * 4 * 17 * SECTOR)
  })

  test('a dynamic disk: sectors that were never written are zero', async () => {
    const { bytes, expected } = await dynamicDisk()
    const image = await readVhd(memorySource(bytes))
    expect(image.info.type).toBe('dynamic')
    expect(equalBytes(await readAll(image), expected)).toBe(true)
    const ranges = []
    for await (const range of image.dataRanges?.() ?? []) ranges.push(range)
    expect(ranges).toEqual([{ offset: 0, length: 2 * BLOCK }])
  })

  test('a damaged footer of a dynamic disk is replaced by its copy', async () => {
    const { bytes, expected } = await dynamicDisk()
    bytes.fill(0, bytes.length - 100)
    bytes[bytes.length - SECTOR] = 0
    expect(equalBytes(await readAll(await readVhd(memorySource(bytes))), expected)).toBe(true)
  })

  const footerAt = (bytes: Uint8Array): number => bytes.length - SECTOR
  const refusals: [what: string, edit: (bytes: Uint8Array) => void, code: string][] = [
    ['a footer with another checksum', (bytes) => bytes.fill(1, footerAt(bytes) + 0x54), 'FORMAT_CHECKSUM'],
    [
      'version 2',
      (bytes) =>
        change(bytes, footerAt(bytes), Footer, () =>
          bytes.fill(2, footerAt(bytes) + 0x0d, footerAt(bytes) + 0x0e),
        ),
      'FORMAT_UNSUPPORTED',
    ],
    [
      'a differencing disk',
      (bytes) =>
        change(bytes, footerAt(bytes), Footer, () => Footer.write(bytes, footerAt(bytes), { diskType: 4 })),
      'FORMAT_UNSUPPORTED',
    ],
    [
      'a disk longer than its file',
      (bytes) =>
        change(bytes, footerAt(bytes), Footer, () =>
          Footer.write(bytes, footerAt(bytes), { currentSize: 2 * MiB }),
        ),
      'FORMAT_TRUNCATED',
    ],
    [
      'a dynamic header outside',
      (bytes) =>
        change(bytes, footerAt(bytes), Footer, () => Footer.write(bytes, footerAt(bytes), { diskType: 3 })),
      'FORMAT_TRUNCATED',
    ],
  ]
  test.each(refusals)('%s is refused', async (_, edit, code) => {
    const bytes = await convert(MiB)
    edit(bytes)
    const error = await exhaust(bytes, readVhd)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as FormatError).code).toBe(code)
  })

  const dynamic: [what: string, edit: (bytes: Uint8Array, view: DataView) => void, code: string][] = [
    ['another cookie', (bytes) => bytes.fill(0, 512, 513), 'FORMAT_INVALID'],
    ['another checksum', (bytes) => bytes.fill(1, 1500, 1501), 'FORMAT_CHECKSUM'],
    [
      'blocks of 3000 bytes',
      (bytes) =>
        change(bytes, 512, DynamicHeader, () => DynamicHeader.write(bytes, 512, { blockSize: 3000 })),
      'FORMAT_INVALID',
    ],
    [
      'fewer entries than blocks',
      (bytes) =>
        change(bytes, 512, DynamicHeader, () => DynamicHeader.write(bytes, 512, { maxTableEntries: 3 })),
      'FORMAT_INVALID',
    ],
    [
      'a table outside',
      (bytes) =>
        change(bytes, 512, DynamicHeader, () => DynamicHeader.write(bytes, 512, { tableOffset: 2 ** 40 })),
      'FORMAT_TRUNCATED',
    ],
    ['a block outside', (_, view) => view.setUint32(1536, 1000), 'FORMAT_TRUNCATED'],
    ['a block in the first sector', (_, view) => view.setUint32(1536, 0), 'FORMAT_INVALID'],
    ['blocks that overlap', (_, view) => view.setUint32(1536, view.getUint32(1540) + 1), 'FORMAT_INVALID'],
  ]
  test.each(dynamic)('of dynamic disks %s is refused', async (_, edit, code) => {
    const { bytes } = await dynamicDisk()
    edit(bytes, new DataView(bytes.buffer))
    const error = await exhaust(bytes, readVhd)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as FormatError).code).toBe(code)
  })

  test('dynamic disks with damage end in FormatError or can be read', async () => {
    const { bytes } = await dynamicDisk()
    const open = (source: ByteSource): Promise<ByteSource> => readVhd(source)
    const place = fc.oneof(fc.nat(2600), fc.nat(bytes.length - 1))
    await fc.assert(
      fc.asyncProperty(place, fc.nat(7), fc.nat(bytes.length), async (at, bit, length) => {
        const damaged = bytes.slice()
        damaged[at] = (damaged[at] as number) ^ (1 << bit)
        for (const file of [damaged, bytes.subarray(0, length)]) {
          const error = await exhaust(file, open)
          if (error !== undefined) expect(error).toBeInstanceOf(FormatError)
        }
      }),
      { numRuns: 150 },
    )
  })
})
