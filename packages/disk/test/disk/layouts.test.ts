import type { EmbeddedPartition, EmbeddedPartitionTable } from '@bootable/blueprint'
import { type BlockDevice, MiB, memoryDevice, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  type DiskPlan,
  openDisk,
  outlineDisk,
  PARTITION_TYPES,
  type PlanDiskOptions,
  planDisk,
  planMounts,
  readDiskTree,
  writeDisk,
} from '@bootable/disk'
import { mergeFstab } from '@bootable/system'
import { createFile, createTree, diffTrees, type FileTree, putInode, removePath } from '@bootable/tree'
import { describe, expect, test } from 'vitest'

const mtime = { seconds: 1_700_000_000, nanoseconds: 0 }
const runtime = nodeRuntime
const SECRET = 'correct horse'

/** A system with an fstab for its mounts, which is how its parts are found again. */
function systemTree(options: PlanDiskOptions): FileTree {
  const tree = createTree({ mode: 0o755, mtime })
  const put = (path: string, content: string | Uint8Array): void => {
    putInode(tree, path, createFile(content, { mtime }))
  }
  put('boot/vmlinuz', 'kernel')
  put('boot/efi/EFI/BOOT/BOOTX64.EFI', 'loader')
  put('usr/lib/firmware/board.bin', new Uint8Array(3 * MiB).fill(7))
  for (let index = 0; index < 20; index++) put(`usr/share/file ${index}`, `${index}`.repeat(index * 500))
  put('var/data/large', new Uint8Array(2 * MiB).fill(1))
  put('var/log/messages', 'started')
  const mounts = planMounts({ architecture: 'x86_64', layout: 'plain' }, options)
  put('etc/fstab', mergeFstab('', mounts))
  return tree
}

interface Written {
  readonly plan: DiskPlan
  readonly device: BlockDevice
  readonly tree: FileTree
}

async function written(given: Omit<PlanDiskOptions, 'seed'>): Promise<Written> {
  const options = { seed: 'test', ...given }
  const tree = systemTree(options)
  const system = { architecture: 'x86_64', layout: 'plain', sysroot: tree } as const
  const plan = planDisk(system, options)
  const { secrets } = outlineDisk(system, options)
  const device = memoryDevice(plan.size)
  await writeDisk(plan, system, device, { secrets, runtime })
  return { plan, device, tree }
}

/** What differs between a tree and what is on the disk, apart from what FAT and ext4 do by themselves. */
async function differences({ device, tree }: Written, passphrase?: string): Promise<string[]> {
  const disk = await openDisk(device, {
    runtime,
    ...(passphrase !== undefined && { passphrase: utf8(passphrase) }),
  })
  const found = await readDiskTree(disk, { runtime })
  for (const path of ['', 'boot/', 'var/data/', 'var/log/']) removePath(found, `${path}lost+found`)
  // A subvolume of a top level that is the root is seen in its place there, too.
  removePath(found, 'logs')
  const lines: string[] = []
  for await (const { path, change, reasons } of diffTrees(tree, found)) {
    if (!path.startsWith('boot/efi') || !reasons.every((reason) => reason.startsWith('attributes')))
      lines.push([path, change, ...reasons].join(' '))
  }
  return lines
}

const data = { fs_type: 'ext4', mountpoint: '/var/data', minsize: 64 * MiB } as const

type EmbeddedLuks = Extract<EmbeddedPartition, { payload_type: 'luks' }>['payload']
type LuksPayload = Pick<EmbeddedLuks, 'payload_type' | 'payload'>

/** As cheap as a LUKS volume can be made. */
function luks(size: number, content: LuksPayload) {
  const pbkdf = { iterations: 4, memory: 32, parallelism: 1 }
  const payload = { passphrase: SECRET, pbkdf, ...content } as EmbeddedLuks
  return { size, payload_type: 'luks', payload } as const
}

function embedded(partitions: readonly EmbeddedPartition[]): Omit<PlanDiskOptions, 'seed'> {
  const partitionTable: EmbeddedPartitionTable = {
    type: 'gpt',
    partitions,
    start_offset: 32 * 1024,
    absolute_start_offset: true,
    grain_size: 4096,
  }
  return { size: 'minimum', partitionTable }
}

const layouts: [name: string, options: Omit<PlanDiskOptions, 'seed'>][] = [
  ['xfs', { rootfs: 'xfs', size: 'minimum' }],
  ['btrfs', { rootfs: 'btrfs', size: 'minimum' }],
  [
    'a plain disk with swap and /var/data apart',
    {
      size: 'minimum',
      disk: {
        partitions: [
          { fs_type: 'swap', minsize: 64 * MiB, label: 'swapspace' },
          { ...data, fs_type: 'xfs', minsize: 512 * MiB, part_label: 'data' },
          { fs_type: 'ext4', mountpoint: '/', minsize: 128 * MiB },
        ],
      },
    },
  ],
  [
    'LVM',
    {
      size: 'minimum',
      disk: {
        type: 'gpt',
        partitions: [
          {
            type: 'lvm',
            minsize: 256 * MiB,
            logical_volumes: [
              { ...data },
              { fs_type: 'swap', minsize: 64 * MiB },
              { fs_type: 'none', minsize: 5 },
            ],
          },
        ],
      },
    },
  ],
  [
    'btrfs with subvolumes',
    {
      size: 'minimum',
      disk: {
        partitions: [
          {
            type: 'btrfs',
            minsize: 256 * MiB,
            subvolumes: [
              { name: 'root', mountpoint: '/' },
              { name: 'root/var/log', mountpoint: '/var/log' },
              { name: 'data', mountpoint: '/var/data' },
            ],
          },
        ],
      },
    },
  ],
  [
    'LUKS around the root, and /var/log on a volume beside it',
    embedded([
      { size: 64 * MiB, payload_type: 'filesystem', payload: { type: 'ext4', mountpoint: '/boot' } },
      luks(128 * MiB, {
        payload_type: 'filesystem',
        payload: { type: 'ext4', mountpoint: '/', label: 'root' },
      }),
      luks(96 * MiB, { payload_type: 'filesystem', payload: { type: 'ext4', mountpoint: '/var/log' } }),
    ]),
  ],
  [
    'LUKS around a volume group',
    embedded([
      { size: 64 * MiB, payload_type: 'filesystem', payload: { type: 'ext4', mountpoint: '/boot' } },
      luks(256 * MiB, {
        payload_type: 'lvm',
        payload: {
          name: 'my-group',
          logical_volumes: [
            { size: 32 * MiB, payload_type: 'swap', payload: { label: 'swapspace' } },
            { size: 64 * MiB, payload_type: 'filesystem', payload: { mountpoint: '/' } },
          ],
        },
      }),
    ]),
  ],
  [
    'LUKS around a logical volume, and around btrfs with its top level mounted',
    embedded([
      { size: 64 * MiB, payload_type: 'filesystem', payload: { type: 'ext4', mountpoint: '/boot' } },
      {
        size: 128 * MiB,
        payload_type: 'lvm',
        payload: {
          logical_volumes: [
            luks(64 * MiB, { payload_type: 'filesystem', payload: { mountpoint: '/var/data' } }),
          ],
        },
      },
      luks(256 * MiB, {
        payload_type: 'btrfs',
        payload: {
          label: 'pool',
          mountpoint: '/',
          subvolumes: [{ name: 'logs', mountpoint: '/var/log', compress: 'zstd:3', size: 128 * MiB }],
        },
      }),
    ]),
  ],
  [
    'firmware of a board in front of everything',
    {
      ...embedded([
        {
          size: 4 * MiB,
          type: PARTITION_TYPES.linux,
          attrs: [2],
          payload_type: 'raw',
          payload: { source_path: '/usr/lib/firmware/board.bin' },
        },
        { size: 64 * MiB, payload_type: 'filesystem', payload: { type: 'vfat', mountpoint: '/boot/efi' } },
        { size: 64 * MiB, payload_type: 'filesystem', payload: { mountpoint: '/' } },
      ]),
    },
  ],
  ['a dos table', { size: 'minimum', disk: { type: 'dos', partitions: [{ ...data }] } }],
  ['sectors of 4096 bytes', { size: 'minimum', sectorSize: 4096, rootfs: 'xfs' }],
]

describe('layouts are written and read back', () => {
  test.each(layouts)('%s', async (_, options) => {
    const disk = await written(options)
    expect(await differences(disk, SECRET)).toEqual([])
  })
})

describe('encrypted disks', () => {
  const options = embedded([
    { size: 64 * MiB, payload_type: 'filesystem', payload: { type: 'ext4', mountpoint: '/boot' } },
    luks(96 * MiB, { payload_type: 'filesystem', payload: { type: 'ext4', mountpoint: '/' } }),
  ])

  test('a plan holds no passphrase, and nothing is written without one', async () => {
    const given = { seed: 'test', ...options }
    const system = { architecture: 'x86_64', layout: 'plain', sysroot: systemTree(given) } as const
    const plan = planDisk(system, given)
    expect(JSON.stringify(plan)).not.toContain(SECRET)
    const device = memoryDevice(plan.size)
    const { encrypted } = outlineDisk(system, given)
    await expect(writeDisk(plan, system, device)).rejects.toMatchObject({
      code: 'SECRET_MISSING',
      details: { volumes: encrypted },
    })
    for await (const _ of device.dataRanges()) expect.unreachable('something was written')
  })

  test('a disk is shown without its passphrase, and not opened with a wrong one', async () => {
    const { device } = await written(options)
    const closed = await openDisk(device)
    expect(closed.partitions[1]).toMatchObject({ filesystem: { type: 'crypto_LUKS' } })
    expect(closed.partitions[1]?.volumes).toBeUndefined()
    await expect(readDiskTree(closed)).rejects.toMatchObject({
      code: 'DISK_WITHOUT_ROOT',
      hint: 'a volume is encrypted: give its passphrase',
    })
    await expect(openDisk(device, { passphrase: utf8('wrong') })).rejects.toMatchObject({
      code: 'LUKS_PASSPHRASE_WRONG',
    })
  })

  test('nothing of what is encrypted stands on the disk in clear', async () => {
    const { device, plan } = await written(options)
    const { start, size } = plan.partitions[1] as DiskPlan['partitions'][number]
    const bytes = Buffer.alloc(size)
    await device.read(start, bytes)
    expect(bytes.includes('1919191919')).toBe(false)
    expect(bytes.includes(SECRET)).toBe(false)
  })
})
