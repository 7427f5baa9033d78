import {
  BootableError,
  type ByteSource,
  MiB,
  memoryDevice,
  memorySource,
  readAll,
  sliceSource,
} from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import {
  createFile,
  createSymlink,
  createTree,
  diffTrees,
  ensureDirectory,
  lookup,
  putInode,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import {
  layoutFat,
  measureFat,
  readFat,
  readFatBootSector,
  type WriteFatOptions,
  writeFat,
} from '../../src/fat/index.ts'

const VOLUME = { volumeId: '7B77-95E7', label: 'EFI-SYSTEM' }

async function writeVolume(tree: FileTree, size: number, options: Partial<WriteFatOptions> = {}) {
  const device = memoryDevice(size)
  await writeFat(tree, device, { ...VOLUME, ...options })
  return device
}

async function rejection(work: Promise<unknown>): Promise<BootableError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!BootableError.is(error)) throw new Error(`expected an error of ours, found ${error}`)
  return error
}

describe('layoutFat', () => {
  // What mkfs.fat 4.2 writes for files of these sizes.
  const facts = [
    [
      20,
      {
        type: 16,
        sectorsPerCluster: 4,
        reservedSectors: 4,
        sectorsPerFat: 40,
        sectorsPerTrack: 32,
        heads: 4,
      },
    ],
    [
      200,
      {
        type: 16,
        sectorsPerCluster: 8,
        reservedSectors: 8,
        sectorsPerFat: 200,
        sectorsPerTrack: 32,
        heads: 16,
      },
    ],
    [
      501,
      {
        type: 16,
        sectorsPerCluster: 16,
        reservedSectors: 16,
        sectorsPerFat: 256,
        sectorsPerTrack: 63,
        heads: 16,
      },
    ],
    [
      1024,
      { type: 32, sectorsPerCluster: 8, reservedSectors: 32, sectorsPerFat: 2048, rootEntries: 0, heads: 64 },
    ],
    [3, { type: 12, sectorsPerCluster: 4, reservedSectors: 1, sectorsPerFat: 5, rootEntries: 512, heads: 2 }],
  ] as const
  test.each(facts)('%i MiB', (mebibytes, expected) => {
    expect(layoutFat(mebibytes * MiB)).toMatchObject({ fats: 2, sectorSize: 512, ...expected })
  })

  test('whole tracks only', () => {
    expect(layoutFat(501 * MiB).totalSectors).toBe(1_026_018)
    expect(layoutFat(1024 * MiB).totalSectors).toBe(2_097_144)
  })

  test('never a FAT32 with fewer than 65525 clusters, which UEFI firmware does not mount', () => {
    expect(() => layoutFat(32 * MiB, { type: 32 })).toThrow(/cannot be FAT32, which has 65525 to/)
    expect(layoutFat(34 * MiB, { type: 32 }).clusters).toBeGreaterThanOrEqual(65_525)
    expect(() => layoutFat(300 * MiB, { type: 12 })).toThrow(/FAT_TYPE|cannot be FAT12/)
  })
})

describe('writeFat', () => {
  test('a boot sector with every field in its place', async () => {
    const device = await writeVolume(createTree(), 501 * MiB, { hiddenSectors: 4096 })
    const sector = await readAll(sliceSource(device, 0, 512))
    expect([...sector.subarray(0, 3)]).toEqual([0xeb, 0x3c, 0x90])
    expect([...sector.subarray(0x24, 0x27)]).toEqual([0x80, 0, 0x29])
    expect([...sector.subarray(0x27, 0x2b)]).toEqual([0xe7, 0x95, 0x77, 0x7b])
    expect(String.fromCharCode(...sector.subarray(0x2b, 0x3e))).toBe('EFI-SYSTEM FAT16   ')
    expect([...sector.subarray(510)]).toEqual([0x55, 0xaa])
    expect(await readFatBootSector(device)).toMatchObject({
      hiddenSectors: 4096,
      volumeId: '7B77-95E7',
      type: 16,
    })
    const table = await readAll(sliceSource(device, 16 * 512, 4))
    expect([...table]).toEqual([0xf8, 0xff, 0xff, 0xff])
  })

  test('FAT32: FSInfo, the copy of the boot sector, the root as a chain', async () => {
    const device = await writeVolume(createTree(), 600 * MiB)
    const layout = layoutFat(600 * MiB)
    const reserved = await readAll(sliceSource(device, 0, 8 * 512))
    expect(reserved.subarray(6 * 512)).toEqual(reserved.subarray(0, 2 * 512))
    const info = new DataView(reserved.buffer, 512)
    expect([0, 484, 508].map((at) => info.getUint32(at, true))).toEqual([0x41615252, 0x61417272, 0xaa550000])
    expect(info.getUint32(488, true)).toBe(layout.clusters - 1)
    const table = new DataView((await readAll(sliceSource(device, 32 * 512, 16))).buffer)
    const entries = [0, 4, 8, 12].map((at) => table.getUint32(at, true))
    expect(entries).toEqual([0x0fff_fff8, 0x0fff_ffff, 0x0fff_ffff, 0])
  })

  test('a hard link becomes two files', async () => {
    const tree = createTree()
    const file = putInode(tree, 'one', createFile('shared'))
    putInode(tree, 'two', file)
    const found = await (await readFat(await writeVolume(tree, 4 * MiB))).tree()
    expect(lookup(found, 'one')).not.toBe(lookup(found, 'two'))
    expect(lookup(found, 'two')).toMatchObject({ type: 'file', content: { size: 6 } })
  })

  test('a root of more than 512 entries', async () => {
    const tree = createTree()
    for (let index = 0; index < 2000; index++) putInode(tree, `long name ${index}`, createFile(''))
    const device = await writeVolume(tree, measureFat(tree, VOLUME))
    expect((await readFat(device)).rootEntries).toBeGreaterThanOrEqual(4001)
    expect([...(await (await readFat(device)).tree()).root.entries.keys()]).toHaveLength(2000)
  })

  const refusals: [what: string, path: string, code: string, message: RegExp][] = [
    ['a forbidden character', 'EFI/a:b', 'FAT_UNSUPPORTED', /\/EFI\/a:b has the character ":"/],
    ['a dot at the end', 'EFI/name.', 'FAT_UNSUPPORTED', /\/EFI\/name\. ends in a dot/],
    [
      'names that differ in case',
      'EFI/boot',
      'FAT_NAME_COLLISION',
      /\/EFI\/BOOT and \/EFI\/boot are one name/,
    ],
  ]
  test.each(refusals)('refuses %s', async (_, path, code, message) => {
    const tree = createTree()
    putInode(tree, 'EFI/BOOT', createFile(''))
    putInode(tree, path, createFile(''))
    const error = await rejection(writeVolume(tree, 4 * MiB))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })

  test('refuses what is neither file nor directory, and files of 4 GiB', async () => {
    const tree = createTree()
    putInode(tree, 'EFI/link', createSymlink('BOOT'))
    expect((await rejection(writeVolume(tree, 4 * MiB))).message).toMatch(/^\/EFI\/link is a symlink/)
    const large = createTree()
    const content: ByteSource = { size: 2 ** 32, read: () => Promise.reject(new Error('not to be read')) }
    putInode(large, 'large', createFile(content))
    expect((await rejection(writeVolume(large, 4 * MiB))).details).toMatchObject({ path: '/large' })
  })

  test('says how much is missing', async () => {
    const tree = createTree()
    putInode(tree, 'file', createFile(new Uint8Array(5 * MiB)))
    const error = await rejection(writeVolume(tree, 4 * MiB))
    expect(error).toMatchObject({ code: 'FAT_NO_SPACE', details: { needed: 2560, clusterSize: 2048 } })
    await expect(writeVolume(createTree(), 4096)).rejects.toMatchObject({ code: 'FAT_NO_SPACE' })
  })

  const invalid: [option: Partial<WriteFatOptions>, message: RegExp][] = [
    [{ volumeId: '7B7795E7' }, /volumeId is "7B7795E7"/],
    [{ volumeId: 2 ** 32 }, /volumeId is 4294967296/],
    [{ label: 'TWELVE CHARS' }, /label is "TWELVE CHARS"/],
    [{ label: 'A.B' }, /label is "A.B"/],
    [{ sectorSize: 1000 as 512 }, /sectorSize is 1000/],
  ]
  test.each(invalid)('refuses %o', async (options, message) => {
    const error = await rejection(writeVolume(createTree(), 4 * MiB, options))
    expect(error.code).toBe('FAT_OPTION_INVALID')
    expect(error.message).toMatch(message)
  })

  test('few large writes, each byte of a file read once', async () => {
    const tree = createTree()
    const bytes = new Uint8Array(3 * MiB).fill(7)
    let read = 0
    const layer: ByteSource = {
      size: bytes.length,
      read(offset, target) {
        read += target.length
        return memorySource(bytes).read(offset, target)
      },
    }
    for (let index = 0; index < 3000; index++) {
      putInode(tree, `d/${index}`, createFile(sliceSource(layer, index * 1000, 1000)))
    }
    const device = memoryDevice(64 * MiB)
    let writes = 0
    const counting = {
      ...device,
      write(offset: number, data: Uint8Array) {
        writes++
        return device.write(offset, data)
      },
    }
    await writeFat(tree, counting, VOLUME)
    expect(writes).toBeLessThan(12)
    expect(read).toBeLessThan(3.1 * MiB)
  })

  test('progress counts the bytes of the files', async () => {
    const tree = createTree()
    putInode(tree, 'a', createFile(new Uint8Array(100_000)))
    const events: unknown[] = []
    await writeVolume(tree, 4 * MiB, { onProgress: (event) => events.push(event) })
    expect(events).toMatchObject([
      { type: 'start', total: 100_000 },
      { type: 'advance', done: 100_000 },
      { type: 'end' },
    ])
  })
})

describe('measureFat', () => {
  test('takes exactly what it measures, and one track less does not', async () => {
    const tree = createTree()
    for (let index = 0; index < 50; index++)
      putInode(tree, `dir${index}/f`, createFile(new Uint8Array(index * 977)))
    for (const options of [VOLUME, { ...VOLUME, type: 16 as const }, { ...VOLUME, type: 32 as const }]) {
      const size = measureFat(tree, options)
      const found = await (await readFat(await writeVolume(tree, size, options))).tree()
      const changes = []
      for await (const change of diffTrees(tree, found, { times: false })) changes.push(change)
      expect(changes).toEqual([])
      await expect(writeVolume(tree, size - 32 * 512, options)).rejects.toThrow()
    }
  })

  test('a type that cannot hold the tree is an error, not a search without end', () => {
    const tree = createTree()
    const content: ByteSource = { size: 2 ** 31, read: () => Promise.resolve() }
    putInode(tree, 'large', createFile(content))
    expect(() => measureFat(tree, { type: 12 })).toThrow(/cannot be FAT12/)
    expect(measureFat(tree)).toBeGreaterThan(2 ** 31)
    ensureDirectory(tree, 'more')
    putInode(tree, 'more/large', createFile({ ...content, size: 2 ** 32 - 1 }))
    expect(() => measureFat(tree, { type: 16 })).toThrow(/cannot be FAT16/)
  })
})
