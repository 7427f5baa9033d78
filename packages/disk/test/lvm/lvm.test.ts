import {
  BootableError,
  FormatError,
  GiB,
  MiB,
  memoryDevice,
  memorySource,
  readAll,
  sliceSource,
  sparseSource,
} from '@bootable/bytes'
import {
  isPhysicalVolume,
  logicalVolumesSize,
  openLogicalVolume,
  planVolumeGroup,
  readVolumeGroup,
  writeVolumeGroup,
} from '@bootable/disk/lvm'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noiseDevice } from '../../../../tooling/compliance/noise.ts'
import { patternBytes } from '../../../../tooling/compliance/trees.ts'
import { lvmChecksum } from '../../src/lvm/checksum.ts'

async function errorOf(action: () => unknown): Promise<BootableError> {
  try {
    await action()
  } catch (error) {
    if (BootableError.is(error)) return error
    throw error
  }
  throw new Error('no error')
}

const VOLUMES = [
  { name: 'rootlv', size: 10 * MiB },
  { name: 'var-lib.x+y', size: 1 },
]

async function sampleGroup(): Promise<{ bytes: Uint8Array; layout: ReturnType<typeof planVolumeGroup> }> {
  const layout = planVolumeGroup({ name: 'vg00', seed: 'lab', size: 30 * MiB + 700, volumes: VOLUMES })
  const device = memoryDevice(30 * MiB + 700)
  await writeVolumeGroup(layout, device, { time: 1_700_000_000, host: 'build-1.example' })
  return { layout, bytes: await readAll(device) }
}

describe('planVolumeGroup', () => {
  test('extents of 4 MiB one behind the other from 1 MiB on', () => {
    const layout = planVolumeGroup({ name: 'vg00', seed: 'lab', size: 30 * MiB + 700, volumes: VOLUMES })
    expect(JSON.parse(JSON.stringify(layout))).toEqual(layout)
    expect(layout.physicalVolume).toMatchObject({ size: 30 * MiB + 512, dataOffset: MiB, extentCount: 7 })
    expect(layout.volumes).toMatchObject([
      { name: 'rootlv', firstExtent: 0, extentCount: 3, offset: MiB, size: 12 * MiB },
      { name: 'var-lib.x+y', firstExtent: 3, extentCount: 1, offset: 13 * MiB, size: 4 * MiB },
    ])
    expect(layout.uuid).toMatch(/^[0-9A-Za-z]{6}(-[0-9A-Za-z]{4}){5}-[0-9A-Za-z]{6}$/)
  })

  test('ids depend on the seed and the names, and on nothing else', () => {
    const ids = (seed: string, name: string, size: number): string[] => {
      const layout = planVolumeGroup({ name, seed, size, volumes: VOLUMES })
      return [layout.uuid, layout.physicalVolume.uuid, ...layout.volumes.map(({ uuid }) => uuid)]
    }
    expect(ids('lab', 'vg00', 30 * MiB)).toEqual(ids('lab', 'vg00', 90 * MiB))
    const all = [...ids('lab', 'vg00', GiB), ...ids('lab', 'vg01', GiB), ...ids('b', 'vg00', GiB)]
    expect(new Set(all).size).toBe(all.length)
  })

  test('logicalVolumesSize is what the volumes need, and one byte less is too few', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 20 * MiB }), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(sizes, async (list) => {
        const volumes = list.map((size, index) => ({ name: `lv${index}`, size }))
        const size = logicalVolumesSize(list)
        const { physicalVolume } = planVolumeGroup({ name: 'vg', seed: '', size, volumes })
        expect(physicalVolume.extentCount * 4 * MiB + MiB).toBe(size)
        const error = await errorOf(() => planVolumeGroup({ name: 'vg', seed: '', size: size - 1, volumes }))
        expect(error.code).toBe('LVM_NO_SPACE')
        expect(error.details).toEqual({ needed: size, size: size - 1 })
      }),
      { numRuns: 50 },
    )
  })

  test('all wrong names and sizes come in one error', async () => {
    const names = ['a b', '-x', '..', 'snapshot0', 'x_tdata', 'y'.repeat(127), 'twice', 'twice', 'none']
    const volumes = names.map((name) => ({ name, size: name === 'none' ? 0 : MiB }))
    const error = await errorOf(() => planVolumeGroup({ name: 'ümlaut', seed: '', size: GiB, volumes }))
    expect(error.code).toBe('LVM_OPTION_INVALID')
    expect(error.details.problems).toHaveLength(9)
  })
})

describe('volume groups', () => {
  test('what is written reads back, volumes with their bytes', async () => {
    const layout = planVolumeGroup({ name: 'vg00', seed: 'lab', size: 30 * MiB, volumes: VOLUMES })
    const device = noiseDevice(30 * MiB)
    await writeVolumeGroup(layout, device)
    const content = patternBytes(12 * MiB)
    await openLogicalVolume(layout, device, 'rootlv').write(0, content)
    expect(await isPhysicalVolume(device)).toBe(true)
    const group = await readVolumeGroup(device)
    expect(group).toMatchObject({
      name: 'vg00',
      uuid: layout.uuid,
      extentSize: 4 * MiB,
      physicalVolume: { uuid: layout.physicalVolume.uuid, size: 30 * MiB },
    })
    expect(group.volumes.map(({ name, uuid, size }) => ({ name, uuid, size }))).toEqual(
      layout.volumes.map(({ name, uuid, size }) => ({ name, uuid, size })),
    )
    const root = group.volumes[0]?.open()
    expect(Buffer.compare(await readAll(root ?? memorySource(new Uint8Array())), content)).toBe(0)
  })

  test('two writes give the same bytes, and only headers and text are written', async () => {
    const [one, two] = [await sampleGroup(), await sampleGroup()]
    expect(Buffer.compare(one.bytes, two.bytes)).toBe(0)
    const device = memoryDevice(30 * MiB + 700)
    await writeVolumeGroup(one.layout, device)
    let written = 0
    for await (const { length } of device.dataRanges()) written += length
    expect(written).toBeLessThan(8192)
  })

  test('a device that is too small, an unknown volume, too many volumes', async () => {
    const { layout } = await sampleGroup()
    expect((await errorOf(() => writeVolumeGroup(layout, memoryDevice(30 * MiB)))).code).toBe('LVM_NO_SPACE')
    const host = await errorOf(() => writeVolumeGroup(layout, memoryDevice(GiB), { host: 'a "b"' }))
    expect(host.code).toBe('LVM_OPTION_INVALID')
    const unknown = await errorOf(() => openLogicalVolume(layout, memoryDevice(GiB), 'home'))
    expect(unknown.message).toContain('rootlv')
    const volumes = Array.from({ length: 3000 }, (_, index) => ({ name: `lv${index}`, size: 1 }))
    const size = logicalVolumesSize(volumes.map((volume) => volume.size))
    const many = planVolumeGroup({ name: 'vg', seed: '', size, volumes })
    const error = await errorOf(() => writeVolumeGroup(many, memoryDevice(size)))
    expect(error.message).toMatch(/metadata .* 3000 volumes/)
  })
})

/** The sample with another text of the same length or shorter in the place of its own. */
function withText(bytes: Uint8Array, edit: (text: string) => string): Uint8Array {
  const view = new DataView(bytes.buffer)
  const size = view.getUint32(4096 + 48, true)
  const text = edit(new TextDecoder().decode(bytes.subarray(4608, 4608 + size - 1)))
  const copy = bytes.slice()
  const raw = new TextEncoder().encode(`${text}\0`)
  copy.set(raw, 4608)
  const target = new DataView(copy.buffer)
  target.setUint32(4096 + 48, raw.length, true)
  target.setUint32(4096 + 56, lvmChecksum(raw), true)
  target.setUint32(4096, lvmChecksum(copy.subarray(4100, 4608)), true)
  return copy
}

describe('reading what others wrote', () => {
  const striped = (text: string): string =>
    text
      .replace('extent_count = 3', 'extent_count = 4')
      .replace('stripe_count = 1\n', 'stripe_count = 2\nstripe_size = 128\n')
      .replace('"pv0", 0\n', '"pv0", 5,\n"pv0", 0\n')

  test('a volume that is striped over one physical volume', async () => {
    const { bytes } = await sampleGroup()
    const image = withText(bytes, striped)
    const [first, second] = [patternBytes(8 * MiB, 5), patternBytes(8 * MiB, 6)]
    image.set(first, MiB + 5 * 4 * MiB)
    image.set(second, MiB)
    const [volume] = (await readVolumeGroup(memorySource(image))).volumes
    const found = await readAll(volume?.open() ?? memorySource(new Uint8Array()))
    expect(found).toHaveLength(16 * MiB)
    for (const stripe of [0, 1, 2, 77, 255]) {
      const from = (stripe % 2 === 0 ? first : second).subarray(Math.floor(stripe / 2) * 65_536)
      const part = found.subarray(stripe * 65_536, (stripe + 1) * 65_536)
      expect(Buffer.compare(part, from.subarray(0, 65_536))).toBe(0)
    }
    const odd = new Uint8Array(100_001)
    await volume?.open().read(65_000, odd)
    expect(Buffer.compare(odd, found.subarray(65_000, 165_001))).toBe(0)
  })

  test('a stripe that starts inside an extent is refused', async () => {
    const { bytes } = await sampleGroup()
    const image = withText(bytes, (text) => text.replace('"pv0", 0\n', '"pv0", 0.5\n'))
    await expect(readVolumeGroup(memorySource(image))).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
  })

  test('a volume of several segments, and text that wraps around the end of its area', async () => {
    const { bytes } = await sampleGroup()
    const second = 'segment2 {\nstart_extent = 3\nextent_count = 2\ntype = "striped"\nstripe_count = 1\n'
    const image = withText(bytes, (text) =>
      text
        .replace('segment_count = 1', 'segment_count = 2')
        .replace('segment1 {', `${second}stripes = ["pv0", 5]\n}\n# comment "{\nsegment1 {`),
    )
    const view = new DataView(image.buffer)
    const size = view.getUint32(4096 + 48, true)
    const text = image.slice(4608, 4608 + size)
    image.set(text.subarray(0, 512), MiB - 512)
    image.set(text.subarray(512), 4608)
    view.setUint32(4096 + 40, MiB - 4096 - 512, true)
    view.setUint32(4096, lvmChecksum(image.subarray(4100, 4608)), true)
    image.set(patternBytes(8 * MiB, 9), MiB + 5 * 4 * MiB)
    const [volume] = (await readVolumeGroup(memorySource(image))).volumes
    expect(volume?.size).toBe(20 * MiB)
    const tail = await readAll(sliceSource(volume?.open() as never, 12 * MiB, 8 * MiB))
    expect(Buffer.compare(tail, patternBytes(8 * MiB, 9))).toBe(0)
  })

  test.each([
    ['a snapshot', '"striped"', '"snapshot"', /type snapshot/],
    ['a thin volume', '"striped"', '"thin"', /type thin/],
    ['another physical volume', '"pv0", 0\n', '"pv1", 0\n', /physical volume pv1/],
  ])('%s is refused by name when it is opened', async (_, from, to, message) => {
    const { bytes } = await sampleGroup()
    const group = await readVolumeGroup(memorySource(withText(bytes, (text) => text.replace(from, to))))
    const error = await errorOf(() => group.volumes[0]?.open())
    expect(error.code).toBe('FORMAT_UNSUPPORTED')
    expect(error.message).toMatch(message)
    expect(group.volumes[1]?.open().size).toBe(4 * MiB)
  })

  test('volumes that are parts of others are not listed', async () => {
    const { bytes } = await sampleGroup()
    const hidden = withText(bytes, (text) => text.replace(', "VISIBLE"', ''))
    expect((await readVolumeGroup(memorySource(hidden))).volumes.map(({ name }) => name)).toEqual([
      'var-lib.x+y',
    ])
  })

  test.each([
    ['no end', (text: string) => text.slice(0, 300)],
    ['a string without an end', (text: string) => text.replace('"lvm2"', '"lvm2')],
    ['a name twice', (text: string) => text.replace('seqno = 1', 'seqno = 1\nseqno = 1')],
    ['deep nesting', (text: string) => `${'a {\n'.repeat(100)}${text}`],
    ['a comment and then rubbish', (text: string) => `${'#'.repeat(3000)}\n"${text.slice(0, 400)}`],
    ['two groups', (text: string) => `${text}\nother { }`],
    ['an extent of nothing', (text: string) => text.replace('extent_size = 8192', 'extent_size = 0')],
    ['too many extents', (text: string) => text.replace('pe_count = 7', 'pe_count = 800')],
    ['a gap', (text: string) => text.replace('start_extent = 0', 'start_extent = 1')],
    ['no stripes', (text: string) => text.replace('"pv0", 0\n', '')],
    ['a number above 2^53', (text: string) => text.replace('seqno = 1', 'seqno = 99999999999999999')],
  ])('metadata with %s is a FormatError', async (_, edit) => {
    const { bytes } = await sampleGroup()
    await expect(readVolumeGroup(memorySource(withText(bytes, edit)))).rejects.toThrow(FormatError)
  })

  test('flipped bits and cut ends give FormatError or a group that can be opened', async () => {
    const { bytes } = await sampleGroup()
    const whole = sparseSource(bytes.length, [
      { offset: 0, length: bytes.length, source: memorySource(bytes), sourceOffset: 0 },
    ])
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.integer({ min: 512, max: 700 }), fc.integer({ min: 4096, max: 6000 })),
        fc.nat(7),
        fc.oneof(fc.constant(bytes.length), fc.nat(bytes.length)),
        async (at, bit, size) => {
          const flipped = {
            ...sliceSource(whole, 0, size),
            async read(offset: number, target: Uint8Array) {
              await sliceSource(whole, 0, size).read(offset, target)
              if (at >= offset && at < offset + target.length) {
                target[at - offset] = (target[at - offset] as number) ^ (1 << bit)
              }
            },
          }
          const { window, ...source } = flipped
          expect(window).toBeDefined()
          try {
            for (const volume of (await readVolumeGroup(source)).volumes) volume.open()
          } catch (error) {
            expect(error).toBeInstanceOf(FormatError)
          }
        },
      ),
      { numRuns: 300 },
    )
    const cut = readVolumeGroup(memorySource(bytes.subarray(0, 20 * MiB)))
    await expect(cut).rejects.toMatchObject({ code: 'FORMAT_TRUNCATED' })
    await expect(readVolumeGroup(memorySource(new Uint8Array(100)))).rejects.toThrow(FormatError)
  })

  test('random edits of the text behind a right checksum', async () => {
    const { bytes } = await sampleGroup()
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      '=',
      ',',
      '-1',
      '0',
      '1e9',
      'pv0',
      '\n',
      '\\',
      '#',
      '',
    )
    await fc.assert(
      fc.asyncProperty(fc.nat(1500), fc.nat(30), piece, async (at, length, insert) => {
        const edit = (text: string): string => text.slice(0, at) + insert + text.slice(at + length)
        const head = memorySource(withText(bytes.subarray(0, 65_536), edit))
        const extent = { offset: 0, length: head.size, source: head, sourceOffset: 0 }
        try {
          const group = await readVolumeGroup(sparseSource(bytes.length, [extent]))
          for (const volume of group.volumes) volume.open()
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError)
        }
      }),
      { numRuns: 500 },
    )
  })
})
