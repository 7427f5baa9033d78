import {
  type BlockDevice,
  FormatError,
  GiB,
  MiB,
  memoryDevice,
  memorySink,
  readAll,
  zeroSource,
} from '@bootable/bytes'
import {
  carveTree,
  type DiskPlan,
  mountsOf,
  openDisk,
  PARTITION_TYPES,
  planDisk,
  readDiskTree,
  writeDisk,
} from '@bootable/disk'
import { readQcow2, writeQcow2 } from '@bootable/disk/qcow2'
import {
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  diffTrees,
  type FileTree,
  lookup,
  putInode,
  removePath,
  walkTree,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'

const mtime = { seconds: 1_700_000_000, nanoseconds: 0 }

function sampleTree(): FileTree {
  const tree = createTree({ mode: 0o555, mtime })
  const put = (path: string, text: string): void => {
    putInode(tree, path, createFile(text, { mtime, uid: 5, mode: 0o640 }))
  }
  for (let index = 0; index < 20; index++) put(`usr/share/file ${index}`, `${index}`.repeat(index * 500))
  put('boot/vmlinuz', 'kernel')
  put('boot/loader/entries/one.conf', 'title One')
  putInode(tree, 'boot/efi', createDirectory({ mode: 0o700, mtime }))
  putInode(tree, 'boot/efi/EFI/BOOT/BOOTX64.EFI', createFile('loader', { mtime }))
  putInode(tree, 'bin', createSymlink('usr/bin', { mtime }))
  return tree
}

const system = (sysroot = sampleTree()) => ({ architecture: 'x86_64', layout: 'plain', sysroot }) as const

async function written(plan: DiskPlan, sysroot = sampleTree()): Promise<BlockDevice> {
  const device = memoryDevice(plan.size)
  await writeDisk(plan, { sysroot }, device)
  return device
}

const smallPlan = (): DiskPlan => planDisk(system(), { seed: 'test', size: 'minimum' })

async function changes(before: FileTree, after: FileTree): Promise<string[]> {
  const lines: string[] = []
  for await (const { path, change, reasons } of diffTrees(before, after))
    lines.push([path, change, ...reasons].join(' '))
  return lines
}

describe('carveTree', () => {
  test('each mount point becomes a tree, its place an empty directory with the same attributes', () => {
    const tree = sampleTree()
    const before = [...walkTree(tree)].map(({ path }) => path)
    const trees = carveTree(tree, ['/', '/boot', '/boot/efi', '/var/lib/new'])
    const paths = (name: string): string[] =>
      [...walkTree(trees.get(name) as FileTree)].map(({ path }) => path)
    expect(paths('/boot/efi')).toEqual(['', 'EFI', 'EFI/BOOT', 'EFI/BOOT/BOOTX64.EFI'])
    expect(paths('/boot')).toEqual([
      '',
      'efi',
      'loader',
      'loader/entries',
      'loader/entries/one.conf',
      'vmlinuz',
    ])
    expect(paths('/').filter((path) => !path.startsWith('usr'))).toEqual([
      '',
      'bin',
      'boot',
      'var',
      'var/lib',
      'var/lib/new',
    ])
    expect(lookup(trees.get('/boot') as FileTree, 'efi')).toMatchObject({ mode: 0o700, mtime })
    expect(trees.get('/')?.root.mode).toBe(0o555)
    expect([...walkTree(tree)].map(({ path }) => path)).toEqual(before)
  })

  test('files are the same objects', () => {
    const tree = sampleTree()
    const boot = carveTree(tree, ['/', '/boot']).get('/boot') as FileTree
    expect(lookup(boot, 'vmlinuz')).toBe(lookup(tree, 'boot/vmlinuz'))
  })

  test('/var of the ostree layout is taken from its stateroot', () => {
    const tree = createTree()
    putInode(tree, 'ostree/deploy/os/var/lib/data/file', createFile('x'))
    const deployment = { stateroot: 'os', commit: '0', path: 'ostree/deploy/os/deploy/0.0', reference: '' }
    const trees = carveTree(tree, ['/', '/var/lib/data'], { deployment })
    expect(lookup(trees.get('/var/lib/data') as FileTree, 'file')?.type).toBe('file')
    expect(lookup(trees.get('/') as FileTree, 'ostree/deploy/os/var/lib/data')).toMatchObject({
      entries: new Map(),
    })
    expect(lookup(trees.get('/') as FileTree, 'var')).toBeUndefined()
  })

  test('a file in the way of a mount point is an error', () => {
    expect(() => carveTree(sampleTree(), ['/', '/boot/vmlinuz/deeper'])).toThrow('/boot/vmlinuz is a file')
  })
})

describe('writeDisk and openDisk', () => {
  test('what was written is read back, through qcow2 as well', async () => {
    const device = await written(smallPlan())
    const sink = memorySink()
    await writeQcow2(device, sink)
    for (const source of [device, await readQcow2(sink.source())]) {
      const disk = await openDisk(source)
      expect(disk.partitions.map(({ filesystem }) => filesystem)).toEqual(
        smallPlan().partitions.map(({ content }) => {
          const [given] = mountsOf(content)
          return given && { type: given.type, label: given.label, uuid: given.uuid }
        }),
      )
      const tree = await readDiskTree(disk)
      for (const path of ['lost+found', 'boot/lost+found']) expect(removePath(tree, path)).toBe(true)
      const found = await changes(sampleTree(), tree)
      // FAT keeps neither owner nor mode, and its root has no time.
      expect(found.filter((line) => !line.startsWith('boot/efi'))).toEqual([])
      expect(found.filter((line) => !line.includes('attributes'))).toEqual([])
    }
  })

  test('two writes give the same bytes', async () => {
    const [one, two] = await Promise.all([1, 2].map(async () => readAll(await written(smallPlan()), GiB)))
    expect(Buffer.compare(one!, two!)).toBe(0)
  })

  test('the partition table is written last', async () => {
    const plan = smallPlan()
    const device = memoryDevice(plan.size)
    const offsets: number[] = []
    const watched: BlockDevice = {
      ...device,
      async write(offset, data) {
        offsets.push(offset)
        await device.write(offset, data)
      },
    }
    await writeDisk(plan, { sysroot: sampleTree() }, watched)
    expect(offsets.slice(-3)).toEqual([plan.size - 33 * 512, 512, 446])
    expect(offsets.slice(0, -3).every((offset) => offset >= MiB && offset < plan.size - MiB)).toBe(true)
  })

  test('a device that is too small is refused before anything is written', async () => {
    const plan = smallPlan()
    const device = memoryDevice(plan.size - 512)
    await expect(writeDisk(plan, { sysroot: sampleTree() }, device)).rejects.toMatchObject({
      code: 'DEVICE_TOO_SMALL',
    })
    for await (const _ of device.dataRanges()) expect.unreachable('something was written')
  })

  test('an edited plan is checked', async () => {
    const plan = smallPlan()
    const [bios, esp, boot, root] = plan.partitions
    const write = (partitions: DiskPlan['partitions']): Promise<unknown> => written({ ...plan, partitions })
    await expect(write([bios!, esp!, { ...boot!, start: esp!.start }, root!])).rejects.toMatchObject({
      code: 'PARTITION_TABLE_INVALID',
    })
    const [mount] = mountsOf(root!.content)
    const zfs = { ...mount!, type: 'zfs' as 'xfs' }
    const unknown = { ...root!, content: { type: 'filesystem' as const, mount: zfs } }
    await expect(write([bios!, esp!, boot!, unknown])).rejects.toMatchObject({
      code: 'FILESYSTEM_UNSUPPORTED',
    })
  })

  test('a cancelled call rejects with the reason and leaves no table', async () => {
    const plan = smallPlan()
    const device = memoryDevice(plan.size)
    const controller = new AbortController()
    const reason = new Error('enough')
    const onProgress = (): void => controller.abort(reason)
    const options = { signal: controller.signal, onProgress }
    await expect(writeDisk(plan, { sysroot: sampleTree() }, device, options)).rejects.toBe(reason)
    await expect(openDisk(device)).rejects.toThrow(FormatError)
  })

  test('a damaged filesystem is named, and an unknown one left out', async () => {
    const plan = smallPlan()
    const device = await written(plan)
    const [, esp, boot] = plan.partitions
    await device.write(boot!.start + 0x480, new Uint8Array(64).fill(0xff))
    await device.write(esp!.start, new Uint8Array(512))
    const disk = await openDisk(device)
    expect(disk.partitions[2]?.filesystem).toEqual({ type: 'ext4', label: '', uuid: '' })
    expect(disk.partitions[1]?.filesystem).toBeUndefined()
    await expect(disk.readTree(esp!)).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
    await expect(openDisk(zeroSource(MiB))).rejects.toThrow(FormatError)
  })

  test('root and boot are known by their labels where the types say only Linux', async () => {
    const plan = smallPlan()
    const [bios, esp, boot, root] = plan.partitions
    const type = PARTITION_TYPES.linux
    const partitions = [bios!, esp!, { ...boot!, type }, { ...root!, type }]
    const tree = await readDiskTree(await openDisk(await written({ ...plan, partitions })))
    expect(lookup(tree, 'boot/vmlinuz')?.type).toBe('file')
    expect(lookup(tree, 'usr/share/file 1')?.type).toBe('file')
  })

  test('a disk without a root filesystem', async () => {
    const plan = smallPlan()
    const device = await written({ ...plan, partitions: plan.partitions.slice(0, 2) })
    await expect(readDiskTree(await openDisk(device))).rejects.toMatchObject({ code: 'DISK_WITHOUT_ROOT' })
  })
})
