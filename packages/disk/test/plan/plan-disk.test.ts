import { type BootableError, GiB, MiB, parseSize } from '@bootable/bytes'
import {
  type DiskPlan,
  describePlan,
  mountsOf,
  type PlanDiskOptions,
  type PlannedSystem,
  planDisk,
  planMounts,
} from '@bootable/disk'
import { createFile, createSymlink, createTree, putInode } from '@bootable/tree'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { usableBytes } from '../../src/gpt/layout.ts'

const SEED = 'a seed'

function system(rest: Partial<PlannedSystem> = {}): PlannedSystem {
  const sysroot = createTree()
  putInode(sysroot, 'usr/bin/sh', createFile('#!'))
  putInode(sysroot, 'boot/vmlinuz', createFile(new Uint8Array(3 * MiB)))
  putInode(sysroot, 'boot/efi/EFI/BOOT/BOOTX64.EFI', createFile(new Uint8Array(MiB)))
  return { architecture: 'x86_64', layout: 'plain', sysroot, ...rest }
}

function plan(options: Partial<PlanDiskOptions> = {}, given = system()): DiskPlan {
  return planDisk(given, { seed: SEED, ...options })
}

const sectors = (given: DiskPlan): [number, number][] =>
  given.partitions.map(({ start, size }) => [start / 512, size / 512])

const sizeOf = (given: DiskPlan, name: string): number =>
  given.partitions.find((partition) => partition.name === name)?.size ?? Number.NaN

function problemsOf(call: () => unknown): string[] {
  try {
    call()
  } catch (error) {
    const { code, details } = error as BootableError
    expect(code).toBe('DISK_OPTIONS_INVALID')
    return (details.problems as { option: string; message: string }[]).map(({ option }) => option)
  }
  return []
}

describe('base tables', () => {
  test('x86_64 at 10 GiB has the sectors of image-builder', () => {
    const given = plan()
    expect(given.size).toBe(10_737_418_240)
    expect(sectors(given)).toEqual([
      [2048, 2048],
      [4096, 1_026_048],
      [1_030_144, 2_097_152],
      [3_127_296, 17_842_176],
    ])
    expect(given.partitions.map(({ type }) => type.toUpperCase())).toEqual([
      '21686148-6449-6E6F-744E-656564454649',
      'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
      'BC13C2FF-59E6-4262-A352-B275FD6F7172',
      '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
    ])
  })

  const others = [
    [
      'aarch64',
      [
        [2048, 1_026_048],
        [1_028_096, 2_097_152],
        [3_125_248, 17_844_224],
      ],
    ],
    [
      'ppc64le',
      [
        [2048, 8192],
        [10_240, 2_097_152],
        [2_107_392, 18_862_080],
      ],
    ],
    [
      's390x',
      [
        [2048, 2_097_152],
        [2_099_200, 18_870_272],
      ],
    ],
  ] as const
  test.each(others)('%s at 10 GiB', (architecture, expected) => {
    expect(sectors(plan({}, system({ architecture })))).toEqual(expected)
  })

  test('riscv64 is as aarch64', () => {
    const types = (architecture: 'aarch64' | 'riscv64'): string[] =>
      plan({}, system({ architecture })).partitions.map(({ type }) => type)
    expect(types('riscv64')).toEqual(types('aarch64'))
  })

  test('ppc64le starts with a PReP partition', () => {
    const [prep] = plan({}, system({ architecture: 'ppc64le' })).partitions
    expect(prep).toMatchObject({ name: 'prep', type: '9e1a2d38-c612-4316-aa26-8b49521e5a8b' })
    expect(prep).not.toHaveProperty('content')
  })

  test('sectors of 4096 bytes: nothing for a BIOS, everything else as it is', () => {
    const given = plan({ sectorSize: 4096 })
    expect(given.sectorSize).toBe(4096)
    expect(sectors(given)).toEqual([
      [2048, 1_026_048],
      [1_028_096, 2_097_152],
      [3_125_248, 17_844_224],
    ])
    const mounts = ({ partitions }: DiskPlan): unknown[] => partitions.map(({ content }) => content)
    expect(mounts(given)).toEqual(mounts(plan()).slice(1))
  })

  test('filesystems of a plain system and of an ostree one', () => {
    const fields = (given: DiskPlan): unknown[] =>
      given.partitions
        .flatMap(({ content }) => mountsOf(content))
        .map((at) => [at.path, at.type, at.label, at.options, at.passno])
    const esp = ['/boot/efi', 'vfat', 'EFI-SYSTEM', 'umask=0077,shortname=winnt', 2]
    expect(fields(plan())).toEqual([
      esp,
      ['/boot', 'ext4', 'boot', 'defaults', 2],
      ['/', 'ext4', 'root', 'defaults', 1],
    ])
    const ostree = plan({}, system({ layout: 'ostree' }))
    expect(fields(ostree)).toEqual([esp, ['/boot', 'ext4', 'boot', 'ro', 0], ['/', 'ext4', 'root', 'ro', 0]])
  })

  test('uuids follow from the seed, each from its own use', () => {
    const ids = (given: DiskPlan): string[] => [
      given.uuid,
      ...given.partitions.flatMap(({ uuid, content }) => [uuid, ...mountsOf(content).map((at) => at.uuid)]),
    ]
    const first = ids(plan())
    expect(new Set(first).size).toBe(8)
    expect(ids(plan())).toEqual(first)
    expect(ids(plan({ seed: 'another' })).filter((id) => first.includes(id))).toEqual([])
    const more = ids(plan({ filesystems: [{ mountpoint: '/var/log', minsize: 0 }] }))
    expect(first.filter((id) => !more.includes(id))).toEqual([])
    expect(mountsOf(plan().partitions[1]?.content)[0]?.uuid).toMatch(/^[0-9A-F]{4}-[0-9A-F]{4}$/)
  })

  test('the plan is JSON', () => {
    expect(JSON.parse(JSON.stringify(plan()))).toEqual(plan())
  })
})

describe('planMounts', () => {
  test('has the filesystems of the plan, parents first, without a complete tree', () => {
    const options = { seed: SEED, filesystems: [{ mountpoint: '/var/log', minsize: GiB }] }
    const mounts = planMounts({ architecture: 'x86_64', layout: 'plain' }, options)
    expect(mounts.map(({ path }) => path)).toEqual(['/', '/boot', '/boot/efi', '/var/log'])
    const planned = plan(options).partitions.flatMap(({ content }) => mountsOf(content))
    expect(planned).toHaveLength(4)
    expect(mounts).toEqual(expect.arrayContaining(planned))
  })
})

describe('sizes', () => {
  test.each([
    ['a 3 GB container gives 10 GiB', 3e9, 10 * GiB],
    ['a 6 GB container gives twice its size and 1.5 GiB', 6e9, 1527 * MiB + 11_445 * MiB + MiB],
  ])('%s', (_, imageSize, expected) => {
    expect(plan({}, system({ imageSize })).size).toBe(expected)
  })

  test('the root is 3 GiB at least where nobody gives a size', () => {
    const filesystems = [{ mountpoint: '/boot', minsize: 8 * GiB }]
    expect(sizeOf(plan({ filesystems }), 'root')).toBe(3 * GiB)
  })

  test('an exact size is exact, and the rule of twice the image does not hold', () => {
    expect(plan({ size: '20 GiB' }).size).toBe(20 * GiB)
    expect(plan({ size: '3 GB' }).size).toBe(3e9)
    expect(plan({ size: '4 GiB' }, system({ imageSize: 5e9 })).size).toBe(4 * GiB)
  })

  test('a size that is not enough names both sizes', () => {
    const given = system()
    putInode(given.sysroot, 'usr/large', createFile({ size: 3 * GiB, read: async () => {} }))
    const error = (() => {
      try {
        return plan({ size: '4 GiB' }, given)
      } catch (caught) {
        return caught as BootableError
      }
    })() as BootableError
    expect(error.code).toBe('DISK_TOO_SMALL')
    expect(error.details.asked).toBe(4 * GiB)
    const needed = error.details.needed as number
    expect(plan({ size: needed }, given).size).toBe(needed)
    expect(() => plan({ size: needed - MiB }, given)).toThrow(/were asked for/)
  })

  test('the minimum shrinks all filesystems to their content and a little room', () => {
    const minimal = plan({ size: 'minimum' })
    expect(minimal.size).toBeLessThan(110 * MiB)
    expect(sizeOf(minimal, 'esp')).toBeLessThan(20 * MiB)
    const again = plan({ size: 'minimum', filesystems: [{ mountpoint: '/', minsize: 2 * GiB }] })
    expect(sizeOf(again, 'root')).toBe(2 * GiB)
    const large = system()
    putInode(large.sysroot, 'usr/large', createFile({ size: 3 * GiB, read: async () => {} }))
    expect(sizeOf(plan({ size: 'minimum' }, large), 'root')).toBeGreaterThan(3.15 * GiB)
  })

  test.each([
    ['a small /boot is raised', '/boot', 'boot', 'minimum', 1, 500 * MiB],
    ['a /boot of 600 MiB is as asked', '/boot', 'boot', 'minimum', 600 * MiB, 600 * MiB],
    ['the table is a floor for /boot', '/boot', 'boot', undefined, 600 * MiB, GiB],
    ['a larger /boot is as asked', '/boot', 'boot', undefined, 2 * GiB, 2 * GiB],
    ['a new mount point has 1 GiB at least', '/var/log', 'var-log', undefined, 5, GiB],
    ['it is rounded up to the grain', '/var/log', 'var-log', undefined, 2 * GiB + 1, 2 * GiB + MiB],
  ])('%s', (_, mountpoint, name, size, minsize, expected) => {
    const options = { filesystems: [{ mountpoint, minsize }], ...(size !== undefined && { size }) }
    expect(sizeOf(plan(options), name)).toBe(expected)
  })

  test('a filesystem whose content is larger than its place in the table grows', () => {
    const given = system()
    putInode(given.sysroot, 'boot/initramfs', createFile({ size: 2 * GiB, read: async () => {} }))
    expect(sizeOf(plan({}, given), 'boot')).toBeGreaterThan(2 * GiB)
  })
})

describe('mount points', () => {
  test('new ones stand in front of the root, in their order', () => {
    const filesystems = ['/var/log', '/var/lib/data', '/'].map((mountpoint) => ({ mountpoint, minsize: GiB }))
    const names = plan({ filesystems }).partitions.map(({ name, number }) => `${number} ${name}`)
    expect(names).toEqual(['1 bios', '2 esp', '3 boot', '4 var-log', '5 var-lib-data', '6 root'])
  })

  test('every problem is told at once', () => {
    const refused = [
      '/home',
      '/var',
      '/var/home',
      '/boot/efi',
      'var/log',
      '/var//log',
      '/var/log/',
      '/var/../etc',
      '',
    ]
    const filesystems = [
      ...refused.map((mountpoint) => ({ mountpoint, minsize: GiB })),
      { mountpoint: '/var/log', minsize: -1 },
      { mountpoint: '/var/log', minsize: GiB },
    ]
    const options = { rootfs: 'zfs' as 'ext4', size: 'many', sectorSize: 1000 as 512, filesystems }
    const expected = [...refused, 1, 1].map((_, index) => `filesystems[${index}]`)
    expect(problemsOf(() => plan(options))).toEqual(['rootfs', 'sectorSize', 'size', ...expected])
    expect(problemsOf(() => planMounts(system(), { seed: SEED, ...options }))).toHaveLength(14)
  })

  test('a disk of half a sector is refused', () => {
    expect(problemsOf(() => plan({ size: 10 * GiB + 100 }))).toEqual(['size'])
    expect(problemsOf(() => plan({ size: 10 * GiB + 512, sectorSize: 4096 }))).toEqual(['size'])
  })

  test('more partitions than a table has are refused', () => {
    const filesystems = Array.from({ length: 125 }, (_, index) => ({
      mountpoint: `/var/${index}x`,
      minsize: GiB,
    }))
    expect(problemsOf(() => plan({ filesystems }))).toEqual(['partitions'])
    expect(plan({ filesystems: filesystems.slice(1) }).partitions).toHaveLength(128)
  })

  test('a mount point that is a link is refused', () => {
    const given = system()
    putInode(given.sysroot, 'var/log', createSymlink('lib/log'))
    const filesystems = [{ mountpoint: '/var/log', minsize: GiB }]
    expect(() => plan({ filesystems }, given)).toThrow('/var/log is a symlink')
  })
})

test('random disks: nothing overlaps, everything is aligned, in order and inside', () => {
  const paths = fc.uniqueArray(fc.constantFrom('/', '/boot', '/var/a', '/var/a/b', '/var/lib/x', '/var/log'))
  return fc.assert(
    fc.property(
      fc.constantFrom(...(['x86_64', 'aarch64', 'ppc64le', 's390x', 'riscv64'] as const)),
      paths.chain((list) =>
        fc.tuple(...list.map((path) => fc.tuple(fc.constant(path), fc.integer({ min: 0, max: 5e9 })))),
      ),
      fc.option(
        fc.oneof(
          fc.constant('minimum'),
          fc.integer({ min: 3e6, max: 8e6 }).map((count) => count * 4096),
        ),
        {
          nil: undefined,
        },
      ),
      fc.constantFrom(512 as const, 4096 as const),
      fc.integer({ min: 0, max: 8e9 }),
      (architecture, requests, size, sectorSize, imageSize) => {
        const filesystems = requests.map(([mountpoint, minsize]) => ({ mountpoint, minsize }))
        const options = { filesystems, sectorSize, ...(size !== undefined && { size }) }
        let given: DiskPlan
        try {
          given = plan(options, system({ architecture, imageSize }))
        } catch (error) {
          expect((error as BootableError).code).toBe('DISK_TOO_SMALL')
          expect(typeof size).toBe('number')
          return
        }
        if (typeof size === 'number') expect(given.size).toBe(size)
        const usable = usableBytes(given.size, sectorSize)
        let end = usable.start
        for (const [index, partition] of given.partitions.entries()) {
          expect(partition.number).toBe(index + 1)
          expect(partition.start).toBe(end)
          expect(partition.size % MiB).toBe(0)
          end = partition.start + partition.size
          const asked = filesystems.find(
            ({ mountpoint }) => mountpoint === mountsOf(partition.content)[0]?.path,
          )
          expect(partition.size).toBeGreaterThanOrEqual(asked?.minsize ?? MiB)
        }
        expect(end).toBe(usable.end)
        expect(mountsOf(given.partitions.at(-1)?.content)[0]?.path).toBe('/')
      },
    ),
    { numRuns: 150 },
  )
})

test('describePlan', () => {
  expect(describePlan(plan())[1]).toEqual({
    number: 2,
    name: 'esp',
    start: 2 * MiB,
    size: parseSize('501 MiB'),
    type: 'EFI system',
    filesystem: 'vfat',
    mountpoint: '/boot/efi',
    label: 'EFI-SYSTEM',
    uuid: mountsOf(plan().partitions[1]?.content)[0]?.uuid,
    inside: [],
  })
  expect(describePlan(plan())[0]).toMatchObject({ type: 'BIOS boot', filesystem: '', mountpoint: '' })
})

test('planning changes nothing in the tree', () => {
  const given = system()
  const boot = given.sysroot.root.entries.get('boot')
  plan({ filesystems: [{ mountpoint: '/var/log', minsize: GiB }] }, given)
  expect(given.sysroot.root.entries.get('boot')).toBe(boot)
  expect(given.sysroot.root.entries.has('var')).toBe(false)
})
