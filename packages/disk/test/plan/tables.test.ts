import type { DiskCustomization, EmbeddedPartitionTable, PartitionCustomization } from '@bootable/blueprint'
import { type BootableError, GiB, MiB } from '@bootable/bytes'
import {
  type DiskPlan,
  type DiskProblem,
  mountsOf,
  outlineDisk,
  type PlanDiskOptions,
  type PlannedSystem,
  planDisk,
  planMounts,
} from '@bootable/disk'
import { createFile, createTree, putInode } from '@bootable/tree'
import { describe, expect, test } from 'vitest'

function system(rest: Partial<PlannedSystem> = {}): PlannedSystem {
  const sysroot = createTree()
  putInode(sysroot, 'usr/bin/sh', createFile('#!'))
  putInode(sysroot, 'usr/lib/u-boot.bin', createFile(new Uint8Array(3 * MiB)))
  putInode(sysroot, 'boot/vmlinuz', createFile(new Uint8Array(3 * MiB)))
  return { architecture: 'x86_64', layout: 'plain', sysroot, ...rest }
}

const plan = (options: Omit<PlanDiskOptions, 'seed'>, given = system()): DiskPlan =>
  planDisk(given, { seed: 'a seed', ...options })

const custom = (
  partitions: readonly PartitionCustomization[],
  rest: Partial<DiskCustomization> = {},
  given?: PlannedSystem,
): DiskPlan => plan({ disk: { ...rest, partitions } }, given)

const names = ({ partitions }: DiskPlan): string[] => partitions.map(({ name }) => name)

const mounts = ({ partitions }: DiskPlan) => partitions.flatMap(({ content }) => mountsOf(content))

function problems(call: () => unknown): string[] {
  try {
    call()
  } catch (error) {
    const { code, details } = error as BootableError
    expect(code).toBe('DISK_OPTIONS_INVALID')
    return (details.problems as DiskProblem[]).map(({ option, message }) => `${option}: ${message}`)
  }
  return []
}

const root = { fs_type: 'xfs', mountpoint: '/', minsize: 5 * GiB } as const
const data = { fs_type: 'ext4', mountpoint: '/var/data', minsize: 2 * GiB, label: 'data' } as const
const swap = { fs_type: 'swap', minsize: GiB } as const

describe('btrfs as the root filesystem', () => {
  test('is a volume with a subvolume, in a partition of the type of roots, beside an ext4 for /boot', () => {
    const { partitions } = plan({ rootfs: 'btrfs' }, system({ layout: 'ostree' }))
    expect(partitions.at(-1)).toMatchObject({
      name: 'root',
      type: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
      content: {
        type: 'btrfs',
        label: 'root',
        subvolumes: [
          {
            name: 'root',
            compress: 'zstd:1',
            mount: { path: '/', type: 'btrfs', options: 'subvol=root,compress=zstd:1,ro' },
          },
        ],
      },
    })
    expect(partitions.at(-2)?.content).toMatchObject({ mount: { path: '/boot', type: 'ext4' } })
  })

  test('takes no further filesystems', () => {
    const filesystems = [{ mountpoint: '/var/log', minsize: GiB }]
    expect(problems(() => plan({ rootfs: 'btrfs', filesystems }))).toEqual([
      'filesystems[0]: /var/log may not be a filesystem of its own; / and /boot may, on btrfs',
    ])
  })
})

describe('a table of the blueprint', () => {
  test('gets what firmware needs in front, with the uuids of image-builder, and the root last', () => {
    const given = custom([root, swap, data])
    expect(names(given)).toEqual(['bios', 'esp', 'swap', 'var-data', 'root'])
    expect(given.partitions.slice(0, 2)).toMatchObject([
      { uuid: 'fac7f1fb-3e8d-4137-a512-961de09a5549', size: MiB },
      {
        uuid: '68b2905b-df3e-4fb3-80fa-49d1e773aa33',
        size: 501 * MiB,
        content: {
          mount: {
            uuid: '7B77-95E7',
            label: 'ESP',
            options: 'defaults,uid=0,gid=0,umask=077,shortname=winnt',
          },
        },
      },
    ])
    expect(given.partitions.map(({ type }) => type.slice(0, 8))).toEqual([
      '21686148',
      'c12a7328',
      '0657fd6d',
      '0fc63daf',
      '4f68bce3',
    ])
    expect(given.partitions.slice(2).map(({ size }) => size / GiB)).toEqual([1, 2, 5])
  })

  test('makes the disk as large as its parts, or as it says, or as twice the image', () => {
    expect(custom([root]).size).toBe(5 * GiB + 504 * MiB)
    expect(custom([root], { minsize: 20 * GiB }).size).toBe(20 * GiB)
    expect(custom([root], {}, system({ imageSize: 8 * GiB })).size).toBe(16 * GiB + 504 * MiB)
  })

  test('mounts without ro, in both layouts', () => {
    const ostree = custom([root, data], {}, system({ layout: 'ostree' }))
    expect(mounts(ostree).map(({ path, options }) => `${path} ${options}`)).toContain('/ defaults')
  })

  test('keeps types, labels and uuids', () => {
    const uuid = '11111111-2222-4333-8444-555555555555'
    const type = '0FC63DAF-8483-4772-8E79-3D69D8477DE4'
    const given = custom([
      { ...root, part_type: type, part_label: 'the root', part_uuid: uuid.toUpperCase() },
    ])
    expect(given.partitions.at(-1)).toMatchObject({ type: type.toLowerCase(), label: 'the root', uuid })
  })

  test('gets no second ESP', () => {
    const esp = { fs_type: 'vfat', mountpoint: '/boot/efi', minsize: 100 * MiB } as const
    expect(names(custom([esp, root]))).toEqual(['bios', 'esp', 'root'])
  })

  test.each([
    ['aarch64', ['esp', 'root']],
    ['riscv64', ['esp', 'root']],
    ['ppc64le', ['prep', 'root']],
    ['s390x', ['root']],
  ] as const)('%s', (architecture, expected) => {
    expect(names(custom([root], {}, system({ architecture })))).toEqual(expected)
  })

  test('a unified kernel image needs neither BIOS boot nor /boot', () => {
    const kernel = { version: '1', vmlinuz: 'boot/EFI/Linux/a.efi', uki: 'boot/EFI/Linux/a.efi' }
    const volumes = { type: 'lvm', minsize: GiB, logical_volumes: [] } as const
    expect(names(custom([volumes], {}, system({ kernel })))).toEqual(['esp', 'vg00'])
  })
})

describe('volume groups', () => {
  const group = (rest: object = {}): PartitionCustomization => ({
    type: 'lvm',
    minsize: 4 * GiB,
    logical_volumes: [
      { ...data },
      { ...swap },
      { fs_type: 'none', minsize: 1 },
      { fs_type: 'none', minsize: 1 },
      { ...root, minsize: GiB + 1 },
    ],
    ...rest,
  })

  test('name their volumes, get a /boot beside them, and grow, but their volumes do not', () => {
    const given = custom([group()], { minsize: 20 * GiB })
    expect(names(given)).toEqual(['bios', 'esp', 'boot', 'vg00'])
    const content = given.partitions.at(-1)?.content
    if (content?.type !== 'lvm') throw new Error('no volume group')
    expect(content.group.volumes.map(({ name, size }) => [name, size / MiB])).toEqual([
      ['var_datalv', 2048],
      ['swaplv', 1024],
      ['datalv', 4],
      ['datalv00', 4],
      ['rootlv', 1028],
    ])
    expect(content.group.physicalVolume.extentCount).toBeGreaterThan(4500)
    expect(mounts(given).find(({ path }) => path === '/')).toMatchObject({
      type: 'xfs',
      layers: [{ type: 'lvm', group: 'vg00', volume: 'rootlv' }],
    })
    expect(given.partitions[2]).toMatchObject({ type: 'bc13c2ff-59e6-4262-a352-b275fd6f7172', size: GiB })
  })

  test('get a root where there is none, which takes what is free', () => {
    const given = custom([group({ logical_volumes: [data] })], { minsize: 20 * GiB })
    const content = given.partitions.at(-1)?.content
    if (content?.type !== 'lvm') throw new Error('no volume group')
    const [first, second] = content.group.volumes
    expect([first?.name, second?.name]).toEqual(['var_datalv', 'rootlv'])
    expect((first?.extentCount ?? 0) + (second?.extentCount ?? 0)).toBe(
      content.group.physicalVolume.extentCount,
    )
  })

  test('take further filesystems as volumes', () => {
    const partitionTable: EmbeddedPartitionTable = {
      type: 'gpt',
      partitions: [
        {
          size: 4 * GiB,
          payload_type: 'lvm',
          payload: {
            logical_volumes: [{ size: GiB, payload_type: 'filesystem', payload: { mountpoint: '/' } }],
          },
        },
      ],
    }
    const filesystems = [
      { mountpoint: '/var/log', minsize: GiB },
      { mountpoint: '/', minsize: 6 * GiB },
    ]
    const content = plan({ partitionTable, filesystems }).partitions[0]?.content
    if (content?.type !== 'lvm') throw new Error('no volume group')
    expect(content.group.volumes.map(({ name, size }) => [name, size / GiB])).toEqual([
      ['rootlv', 6],
      ['var_loglv', 1],
    ])
  })
})

describe('btrfs volumes', () => {
  const volume = (subvolumes: readonly { name: string; mountpoint: string }[]): PartitionCustomization => ({
    type: 'btrfs',
    minsize: 2 * GiB,
    subvolumes,
  })

  test('get a root and a /boot where they have none', () => {
    const given = custom([volume([{ name: 'root', mountpoint: '/var/log' }])])
    expect(names(given)).toEqual(
      ['bios', 'esp', 'boot', 'root'].map((name) => (name === 'root' ? 'var-log' : name)),
    )
    expect(
      mounts(given)
        .filter(({ type }) => type === 'btrfs')
        .map(({ path, options }) => [path, options]),
    ).toEqual([
      ['/var/log', 'subvol=root'],
      ['/', 'subvol=root00'],
    ])
  })

  test('may hold /boot', () => {
    const given = custom([
      volume([
        { name: 'boot', mountpoint: '/boot' },
        { name: 'root', mountpoint: '/' },
      ]),
    ])
    expect(names(given)).toEqual(['bios', 'esp', 'boot'])
  })
})

describe('encryption', () => {
  test('of the root makes /boot a partition; what it lies in is with every mount', () => {
    const given = custom([
      { ...root, encryption: { passphrase: 'x' } },
      { ...swap, encryption: {} },
    ])
    expect(names(given)).toEqual(['bios', 'esp', 'boot', 'swap', 'root'])
    const [, , , swapped, encrypted] = given.partitions
    // Not that of swap, which nothing but swap may have.
    expect(swapped?.type).toBe('ca7d7ccb-63ed-4c53-861c-1742536059cc')
    expect(encrypted?.content).toMatchObject({ type: 'luks', content: { type: 'filesystem' } })
    const outline = outlineDisk(system(), {
      seed: 'a seed',
      disk: {
        partitions: [
          { ...root, encryption: { passphrase: 'x' } },
          { ...swap, encryption: {} },
        ],
      },
    })
    expect(outline.encrypted).toHaveLength(2)
    expect([...outline.secrets.values()].map((bytes) => Buffer.from(bytes).toString())).toEqual(['x'])
    const mount = outline.mounts.find(({ path }) => path === '/')
    expect(mount?.layers).toEqual([{ type: 'luks', uuid: [...outline.secrets.keys()][0] }])
    expect(mounts(given)).toEqual(expect.arrayContaining([...outline.mounts]))
  })
})

describe('tables of an image', () => {
  const filesystem = (mountpoint: string, size: number, rest: object = {}) => ({
    size,
    payload_type: 'filesystem' as const,
    payload: { mountpoint },
    ...rest,
  })

  test('are as they say: grain, offsets, padding, attributes, files in partitions', () => {
    const partitionTable: EmbeddedPartitionTable = {
      type: 'gpt',
      uuid: 'D209C89E-EA5E-4FBD-B161-B461CCE297E0',
      size: 6 * GiB,
      grain_size: 64 * 1024,
      start_offset: 32 * 1024,
      absolute_start_offset: true,
      extra_padding: 4096,
      partitions: [
        {
          size: 4 * MiB,
          payload_type: 'raw',
          payload: { source_path: '/usr/lib/u-boot.bin' },
          attrs: [60, 2],
        },
        filesystem('/', 2 * GiB),
        { size: 64 * MiB, start: 16 * MiB, label: 'spare' },
      ],
    }
    const given = plan({ partitionTable })
    expect(given.uuid).toBe('d209c89e-ea5e-4fbd-b161-b461cce297e0')
    expect(given.size).toBe(6 * GiB)
    expect(given.partitions).toMatchObject([
      { start: 32 * 1024, size: 4 * MiB, attributes: [2, 60], content: { type: 'raw' } },
      { start: 16 * MiB, size: 64 * MiB, label: 'spare' },
      { start: 80 * MiB },
    ])
    const end = 6 * GiB - 33 * 512 - 4096 * 512
    const last = given.partitions[2]
    expect((last?.start ?? 0) + (last?.size ?? 0)).toBe(end - (end % (64 * 1024)))
  })

  test('have a root that stays as it is, where they say so', () => {
    const partitionTable: EmbeddedPartitionTable = {
      type: 'gpt',
      policy: { grow_root_to_fill_disk: false },
      partitions: [filesystem('/', 2 * GiB)],
    }
    expect(plan({ partitionTable }).partitions[0]?.size).toBe(2 * GiB)
    expect(plan({ partitionTable }).size).toBe(10 * GiB)
    const disk = { partitions: [root], minsize: 20 * GiB }
    expect(plan({ partitionTable, disk }).partitions.at(-1)?.size).toBe(5 * GiB)
  })

  test('of the dos kind have the serial number and types of those', () => {
    const partitionTable: EmbeddedPartitionTable = {
      type: 'dos',
      uuid: '0x1234ABCD',
      partitions: [
        filesystem('/boot/efi', 64 * MiB, { payload: { mountpoint: '/boot/efi', type: 'vfat' } }),
        filesystem('/', GiB, { bootable: true }),
      ],
    }
    const given = plan({ partitionTable })
    expect(given).toMatchObject({
      type: 'dos',
      uuid: '1234abcd',
      partitions: [
        { type: 'ef', uuid: '1234abcd-01', start: MiB, attributes: [] },
        { type: '83', uuid: '1234abcd-02', attributes: [7] },
      ],
    })
    // There is no second table at the end.
    const last = given.partitions[1]
    expect((last?.start ?? 0) + (last?.size ?? 0)).toBe(given.size)
  })

  test('on btrfs get the subvolume of the base table', () => {
    const partitionTable: EmbeddedPartitionTable = { type: 'gpt', partitions: [filesystem('/', GiB)] }
    const [mount] = planMounts(system(), { seed: '', rootfs: 'btrfs', partitionTable })
    expect(mount).toMatchObject({ type: 'btrfs', options: 'subvol=root,compress=zstd:1' })
  })
})

describe('everything that is wrong is told at once', () => {
  test('in a table of the blueprint', () => {
    const disk: DiskCustomization = {
      type: 'dos',
      partitions: [
        { ...data, mountpoint: '/home', part_label: 'x' },
        { ...data, mountpoint: '/proc/x' },
        { ...data, encryption: {} },
        { ...data, mountpoint: '/boot', encryption: {} },
        {
          type: 'lvm',
          name: '-',
          minsize: -1,
          logical_volumes: [
            { ...data, name: 'a' },
            { ...swap, name: 'a', label: 'a label that is too long' },
            { fs_type: 'vfat', mountpoint: '/', minsize: 1.5 },
          ],
        },
      ],
    }
    const options = {
      seed: '',
      disk,
      sectorSize: 1024 as 512,
      filesystems: [{ mountpoint: '/', minsize: 1 }],
    }
    expect(problems(() => planDisk(system({ layout: 'ostree' }), options))).toEqual([
      'sectorSize: 1024; 512 and 4096 are possible',
      'filesystems: cannot be there together with a table of its own (disk)',
      'partitions: 6 partitions (esp, home, proc-x, var-data, boot, -), with those that are added; a dos table has 4',
      'disk.partitions[0]: /home is a link to /var/home in the ostree layout: mount it at /var/home',
      "disk.partitions[1]: nothing can be mounted at /proc/x: /proc is the system's own",
      'disk.partitions[4].logical_volumes[0]: /var/data is there twice',
      'disk.partitions[0]: a dos table has no labels',
      'disk.partitions[3]: /boot cannot be encrypted: it is read before anything is',
      'disk.partitions[4]: -1 is no number of bytes',
      'disk.partitions[4]: 1.5 is no number of bytes',
      'disk.partitions[4]: volume group "-": the name may not start with a dash',
      'disk.partitions[4]: logical volume "a": the name stands twice',
      'disk.partitions[4].logical_volumes[1]: the label "a label that is too long" has 24 bytes; a label of swap has 15 at most',
      'disk.partitions[4].logical_volumes[2]: vfat cannot hold a root filesystem',
    ])
  })

  test('in a table of the image', () => {
    const partitionTable: EmbeddedPartitionTable = {
      type: 'gpt',
      sector_size: 4096,
      grain_size: 1000,
      partitions: [
        { size: 1, start: 5, uuid: 'd209c89e-ea5e-4fbd-b161-b461cce297e0', type: 'x' },
        { size: 1, uuid: 'd209c89e-ea5e-4fbd-b161-b461cce297e0', label: 'x'.repeat(37) },
      ],
    }
    expect(problems(() => plan({ partitionTable, sectorSize: 512 }))).toEqual([
      'sectorSize: 512, but partition_table.sector_size says 4096',
      'partition_table.grain_size: 1000 bytes are not whole sectors of 512',
      'partition_table.partitions: none of them is mounted at /',
      'partition_table.partitions[1]: the partition uuid d209c89e-ea5e-4fbd-b161-b461cce297e0 is that of partition_table.partitions[0], too',
      'partition_table.partitions[0]: "x" is no type of a gpt table',
      'partition_table.partitions[0]: it starts at 5, which is no whole sector of 512 bytes',
      `partition_table.partitions[1]: the label "${'x'.repeat(37)}" has more than 36 characters`,
    ])
  })

  test('in trees that their filesystems cannot hold, and in places that are taken', () => {
    const sysroot = createTree()
    putInode(sysroot, 'boot/efi/large', createFile({ size: 5 * GiB, read: async () => {} }))
    const partitionTable: EmbeddedPartitionTable = {
      type: 'gpt',
      partitions: [
        { size: 64 * MiB, payload_type: 'raw', payload: { source_path: '/missing' } },
        { size: 64 * MiB, start: 2 * MiB },
        { size: GiB, payload_type: 'filesystem', payload: { type: 'vfat', mountpoint: '/boot/efi' } },
        { size: GiB, payload_type: 'filesystem', payload: { mountpoint: '/' } },
      ],
    }
    const told = problems(() => plan({ partitionTable }, system({ sysroot })))
    expect(told.map((line) => line.split(':')[0])).toEqual([
      'partition_table.partitions[0]',
      'partition_table.partitions[2]',
      'partition_table.partitions[1]',
    ])
    expect(told[0]).toContain('the file /missing is missing in the image')
    expect(told[2]).toContain('it starts at byte 2097152, before')
  })
})
