import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { DiskCustomization, EmbeddedPartition, PartitionCustomization } from '@bootable/blueprint'
import { GiB, MiB, memoryDevice, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  type Disk,
  type DiskPartition,
  type DiskPlan,
  type DiskVolume,
  describePlan,
  openDisk,
  outlineDisk,
  type PlanDiskOptions,
  planDisk,
  writeDisk,
  writeGpt,
  writeMbr,
} from '@bootable/disk'
import { createFile, createTree, putInode } from '@bootable/tree'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import {
  btrfsCheck,
  e2fsck,
  fsckFat,
  oracle,
  run,
  runOk,
  sgdiskVerify,
  temporaryFolder,
  xfsRepair,
} from '../../tooling/oracles.ts'

const folder = mkdtempSync(join(temporaryFolder(), 'layouts-'))
const runtime = nodeRuntime
const mtime = { seconds: 1_700_000_000, nanoseconds: 0 }

function sysroot() {
  const tree = createTree({ mtime })
  for (let index = 0; index < 200; index++) {
    putInode(tree, `usr/share/${index % 7}/${index}`, createFile('x'.repeat(index * 100), { mtime }))
  }
  putInode(tree, 'boot/vmlinuz', createFile(new Uint8Array(2 * MiB).fill(9), { mtime }))
  putInode(tree, 'boot/efi/EFI/BOOT/BOOTX64.EFI', createFile('loader', { mtime }))
  putInode(tree, 'var/data/large', createFile(new Uint8Array(4 * MiB).fill(5), { mtime }))
  return tree
}

const system = { architecture: 'x86_64', layout: 'plain', sysroot: sysroot() } as const

interface SfdiskTable {
  readonly partitiontable: {
    readonly label: string
    readonly id: string
    readonly partitions: readonly {
      readonly start: number
      readonly size: number
      readonly type: string
      readonly uuid?: string
      readonly name?: string
      readonly bootable?: boolean
    }[]
  }
}

async function tableOf(plan: DiskPlan, name: string): Promise<string> {
  const device = memoryDevice(plan.size)
  await (plan.type === 'dos' ? writeMbr(plan, device) : writeGpt(plan, device))
  const path = join(folder, name)
  await saveDevice(device, path)
  return path
}

/** What sfdisk says of a disk, in the terms of a plan. */
async function seen(path: string): Promise<unknown> {
  const { partitiontable } = JSON.parse((await runOk('sfdisk', ['-J', path])).stdout) as SfdiskTable
  const { label: type, id, partitions } = partitiontable
  return {
    type,
    uuid: id.toLowerCase().replace(/^0x/, ''),
    partitions: partitions.map((each) => ({
      start: each.start * 512,
      size: each.size * 512,
      type: each.type.toLowerCase(),
      ...(type === 'gpt' && { uuid: each.uuid?.toLowerCase(), label: each.name ?? '' }),
      ...(type === 'dos' && { active: each.bootable === true }),
    })),
  }
}

function expected({ type = 'gpt', uuid, partitions }: DiskPlan): unknown {
  return {
    type,
    uuid,
    partitions: partitions.map((each) => ({
      start: each.start,
      size: each.size,
      type: type === 'dos' ? each.type.replace(/^0/, '') : each.type,
      ...(type === 'gpt' && { uuid: each.uuid, label: each.label }),
      ...(type === 'dos' && { active: each.attributes.includes(7) }),
    })),
  }
}

const partition = fc
  .record({
    fs_type: fc.constantFrom('swap' as const, 'none' as const),
    minsize: fc.integer({ min: 1, max: 3e9 }),
    label: fc.constantFrom('', 'data', 'ä “label”'),
  })
  .map(({ fs_type, minsize, label }): PartitionCustomization & { label?: string } => ({
    fs_type,
    minsize,
    ...(label !== '' && { part_label: label }),
  }))

oracle(['sgdisk', 'sfdisk'], () => {
  test('random tables are faultless, and what sfdisk sees is what was planned', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(partition, { maxLength: 6 }),
        fc.nat(3 * MiB),
        fc.boolean(),
        async (partitions, offset, isDos) => {
          const disk: DiskCustomization = isDos
            ? { type: 'dos', partitions: partitions.slice(0, 2).map(({ part_label: _, ...rest }) => rest) }
            : { partitions, start_offset: offset }
          const plan = planDisk(system, { seed: 'test', disk })
          const path = await tableOf(plan, 'random.raw')
          if (!isDos) expect(await sgdiskVerify(path)).toEqual([])
          const { stdout, stderr } = await runOk('sfdisk', ['--verify', path])
          expect(`${stdout}${stderr}`).toMatch(/No errors detected/)
          expect(await seen(path)).toEqual(expected(plan))
        },
      ),
      { numRuns: 40 },
    ))

  test('a dos table is byte for byte what sfdisk writes from the same description', async () => {
    const partitions: EmbeddedPartition[] = [
      { size: 64 * MiB, payload_type: 'filesystem', payload: { type: 'vfat', mountpoint: '/boot/efi' } },
      { size: 64 * MiB, payload_type: 'swap', payload: {} },
      { size: 2 * GiB, bootable: true, payload_type: 'filesystem', payload: { mountpoint: '/' } },
    ]
    const plan = planDisk(system, { seed: 'test', partitionTable: { type: 'dos', size: GiB, partitions } })
    const ours = await tableOf(plan, 'ours.raw')
    const theirs = join(folder, 'theirs.raw')
    await runOk('truncate', ['-s', String(plan.size), theirs])
    const lines = plan.partitions.map(({ start, size, type, attributes }) => {
      const active = attributes.includes(7) ? ', bootable' : ''
      return `start=${start / 512}, size=${size / 512}, type=${type}${active}`
    })
    const input = ['label: dos', `label-id: 0x${plan.uuid}`, ...lines, ''].join('\n')
    await runOk('sfdisk', ['--no-reread', theirs], { input })
    // Nothing else is on either.
    const { stdout, status } = await run('cmp', ['-n', String(MiB), ours, theirs])
    expect([stdout, status]).toEqual(['', 0])
  })
})

const encryption = { passphrase: 'x', pbkdf: 'pbkdf2' } as const

const layouts: [name: string, options: Omit<PlanDiskOptions, 'seed'>][] = [
  ['xfs', { rootfs: 'xfs', size: 'minimum' }],
  ['btrfs', { rootfs: 'btrfs', size: 'minimum' }],
  [
    'plain partitions and swap on a dos table',
    {
      size: 'minimum',
      disk: {
        type: 'dos',
        partitions: [
          { fs_type: 'swap', minsize: 64 * MiB, label: 'swapspace' },
          { fs_type: 'xfs', mountpoint: '/var/data', minsize: 400 * MiB, label: 'data' },
        ],
      },
    },
  ],
  [
    'LVM',
    {
      size: 'minimum',
      disk: {
        partitions: [
          {
            type: 'lvm',
            minsize: MiB,
            logical_volumes: [
              { fs_type: 'ext4', mountpoint: '/var/data', minsize: 100 * MiB },
              { fs_type: 'swap', minsize: 64 * MiB },
              { fs_type: 'xfs', mountpoint: '/', minsize: MiB },
            ],
          },
        ],
      },
    },
  ],
  [
    'LUKS around btrfs',
    {
      size: 'minimum',
      disk: {
        partitions: [
          {
            type: 'btrfs',
            minsize: 160 * MiB,
            encryption,
            subvolumes: [
              { name: 'root', mountpoint: '/' },
              { name: 'data', mountpoint: '/var/data' },
            ],
          },
        ],
      },
    },
  ],
]

const CHECKERS: Readonly<Record<string, (path: string) => Promise<string[]>>> = {
  ext4: e2fsck,
  vfat: fsckFat,
  xfs: xfsRepair,
  btrfs: btrfsCheck,
}

/** Everything on a disk that has a filesystem, volumes inside of partitions too. */
function placesOf(disk: Disk): (DiskPartition | DiskVolume)[] {
  const within = (place: DiskPartition | DiskVolume): (DiskPartition | DiskVolume)[] => [
    place,
    ...(place.volumes ?? []).flatMap(within),
  ]
  return disk.partitions.flatMap(within)
}

async function copyOf(disk: Disk, place: DiskPartition | DiskVolume): Promise<string> {
  const path = join(folder, 'part.raw')
  await saveDevice(disk.open(place), path)
  return path
}

oracle(['sfdisk', 'blkid', 'e2fsck', 'fsck.fat', 'xfs_repair', 'btrfs'], () => {
  describe.each(layouts)('a whole disk: %s', (name, given) => {
    test('its table, its filesystems and its volumes are faultless, and blkid sees what was planned', async () => {
      const options = { seed: 'test', ...given }
      const plan = planDisk(system, options)
      const device = memoryDevice(plan.size)
      await writeDisk(plan, system, device, { secrets: outlineDisk(system, options).secrets, runtime })
      const path = join(folder, `${name.replaceAll(' ', '-')}.raw`)
      await saveDevice(device, path)
      expect(await seen(path)).toEqual(expected(plan))

      const types = { lvm: 'LVM2_member', luks: 'crypto_LUKS' } as Readonly<Record<string, string>>
      for (const { start, size, filesystem, label, uuid } of describePlan(plan)) {
        if (filesystem === '') continue
        const place = ['-O', String(start), '-S', String(size)]
        const { stdout } = await runOk('blkid', ['-p', '-o', 'export', ...place, path])
        expect(stdout).toContain(`TYPE=${types[filesystem] ?? filesystem}\n`)
        // LVM shows the uuid of the physical volume, which a volume group's row does not have.
        if (filesystem === 'lvm') continue
        expect(stdout).toContain(`UUID=${uuid}\n`)
        if (label !== '') expect(stdout).toContain(`LABEL=${label}\n`)
      }

      const disk = await openDisk(device, { runtime, passphrase: utf8('x') })
      const checked: string[] = []
      for (const place of placesOf(disk)) {
        const check = CHECKERS[place.filesystem?.type ?? '']
        if (!check) continue
        expect(await check(await copyOf(disk, place))).toEqual([])
        checked.push(place.filesystem?.type ?? '')
      }
      expect(checked.length).toBeGreaterThan(1)
    })
  })
})
