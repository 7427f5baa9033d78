import type {
  DiskCustomization,
  EmbeddedPartition,
  EmbeddedPartitionTable,
  PartitionCustomization,
} from '@bootable/blueprint'
import { type BootableError, GiB, MiB } from '@bootable/bytes'
import {
  type DiskPlan,
  mountsOf,
  type PlanDiskOptions,
  type PlannedContent,
  type PlannedPartition,
  type PlannedSystem,
  planDisk,
  planMounts,
} from '@bootable/disk'
import { createFile, createTree, putInode } from '@bootable/tree'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { usableBytes } from '../../src/gpt/layout.ts'

const sysroot = createTree()
putInode(sysroot, 'boot/vmlinuz', createFile(new Uint8Array(MiB)))

const size = fc.integer({ min: 0, max: 8e9 })
const encryption = fc.option(fc.constant({ passphrase: 'x' }), { nil: undefined, freq: 3 })
const architecture = fc.constantFrom(...(['x86_64', 'aarch64', 'ppc64le', 's390x', 'riscv64'] as const))
const format = fc.constantFrom('ext4' as const, 'xfs' as const)

/** Contents for these mount points, swap and nothing. */
function contents(paths: readonly string[]) {
  const one = (path: string) =>
    fc.record({ fs_type: format, mountpoint: fc.constant(path), minsize: size }, { noNullPrototype: true })
  const others = fc.array(
    fc.record(
      { fs_type: fc.constantFrom('swap' as const, 'none' as const), minsize: size },
      { noNullPrototype: true },
    ),
    { maxLength: 2 },
  )
  return fc.tuple(fc.tuple(...paths.map(one)), others).map(([mounted, rest]) => [...mounted, ...rest])
}

const paths = fc.uniqueArray(fc.constantFrom('/', '/var/a', '/var/a/b', '/var/lib/x', '/var/log'))

/** A table of a blueprint: some contents in partitions, the others in a volume group or a btrfs. */
const disk: fc.Arbitrary<DiskCustomization> = fc
  .tuple(paths, fc.nat(5), fc.constantFrom('none', 'lvm', 'btrfs'), encryption, fc.nat(3 * MiB), size)
  .chain(([all, cut, kind, encrypted, offset, minsize]) =>
    fc.tuple(contents(all.slice(0, cut)), contents(all.slice(cut)), size).map(([outside, inside, bytes]) => {
      const coded = encrypted === undefined ? {} : { encryption: encrypted }
      const plain: PartitionCustomization[] = outside.map((content) => ({ ...content }))
      if (kind === 'lvm') {
        plain.push({ type: 'lvm', minsize: bytes, logical_volumes: inside, ...coded })
      } else if (kind === 'btrfs') {
        const subvolumes = inside.flatMap((content, index) =>
          'mountpoint' in content ? [{ name: `s${index}`, mountpoint: content.mountpoint }] : [],
        )
        plain.push({ type: 'btrfs', minsize: bytes, subvolumes, ...coded })
      } else plain.push(...inside.map((content) => ({ ...content, ...coded })))
      return { partitions: plain, start_offset: offset, minsize }
    }),
  )

/** A table of an image, with a grain and an offset of its own. */
const embedded: fc.Arbitrary<EmbeddedPartitionTable> = fc
  .record({
    type: fc.constantFrom('gpt' as const, 'dos' as const),
    grain: fc.constantFrom(4096, 64 * 1024, MiB, 4 * MiB),
    offset: fc.nat(512),
    absolute: fc.boolean(),
    padding: fc.nat(10_000),
    grows: fc.boolean(),
    all: fc.uniqueArray(fc.constantFrom('/var/a', '/var/lib/x'), { maxLength: 2 }),
    sizes: fc.array(fc.integer({ min: 1, max: 2e9 }), { minLength: 3, maxLength: 3 }),
  })
  .map(({ type, grain, offset, absolute, padding, grows, all, sizes }) => ({
    type,
    grain_size: grain,
    start_offset: offset * 4096,
    absolute_start_offset: absolute,
    extra_padding: padding,
    policy: { grow_root_to_fill_disk: grows },
    partitions: ['/', ...all].map(
      (mountpoint, index): EmbeddedPartition => ({
        size: sizes[index] as number,
        payload_type: 'filesystem',
        payload: { mountpoint },
      }),
    ),
  }))

/** `undefined` for a disk that is refused, which only one that is too small may be. */
function planned(options: PlanDiskOptions, system: PlannedSystem): DiskPlan | undefined {
  try {
    return planDisk(system, options)
  } catch (error) {
    expect((error as BootableError).code).toBe('DISK_TOO_SMALL')
    expect(typeof options.size).toBe('number')
    return undefined
  }
}

/** Nothing overlaps, everything is in order, in the usable bytes and made of whole grains. */
function checkPlaces(
  { partitions, type, size: whole, sectorSize }: DiskPlan,
  grain: number,
  padding = 0,
): void {
  const header = type === 'dos' ? sectorSize : 2 * sectorSize + 16_384
  const footer = padding + (type === 'dos' ? 0 : header - sectorSize)
  let end = header
  for (const [index, partition] of partitions.entries()) {
    expect(partition.number).toBe(index + 1)
    expect(partition.start).toBeGreaterThanOrEqual(end)
    if (index > 0) expect(partition.start % grain).toBe(0)
    expect(partition.start % sectorSize).toBe(0)
    expect(partition.size % sectorSize).toBe(0)
    expect(partition.size).toBeGreaterThan(0)
    end = partition.start + partition.size
  }
  expect(end).toBeLessThanOrEqual(whole - footer)
}

/** Volumes fit into what holds them, one behind the other. */
function checkContent(content: PlannedContent | undefined, bytes: number): void {
  if (content?.type === 'luks') checkContent(content.content, bytes - 16 * MiB)
  if (content?.type !== 'lvm') return
  let end = MiB
  for (const [index, { offset, size: length }] of content.group.volumes.entries()) {
    expect(offset).toBe(end)
    end = offset + length
    checkContent(content.volumes[index]?.content, length)
  }
  expect(end).toBeLessThanOrEqual(bytes)
}

function checkJson(plan: DiskPlan, options: PlanDiskOptions, system: PlannedSystem): void {
  expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
  expect(planDisk(system, options)).toEqual(plan)
  const mounts = plan.partitions.flatMap(({ content }) => mountsOf(content))
  expect(planMounts(system, options)).toEqual(expect.arrayContaining(mounts))
  expect(planMounts(system, options)).toHaveLength(mounts.length)
}

const isRoot = ({ content }: PlannedPartition): boolean => mountsOf(content).some(({ path }) => path === '/')

const asked = fc.option(
  fc.oneof(
    fc.constant('minimum'),
    fc.integer({ min: 3e6, max: 8e6 }).map((count) => count * 4096),
  ),
  { nil: undefined },
)

test('random tables of blueprints', () => {
  return fc.assert(
    fc.property(
      disk,
      architecture,
      asked,
      fc.constantFrom(512 as const, 4096 as const),
      fc.constantFrom('ext4' as const, 'xfs' as const, 'btrfs' as const),
      fc.integer({ min: 0, max: 6e9 }),
      (given, machine, bytes, sectorSize, rootfs, imageSize) => {
        const system: PlannedSystem = { architecture: machine, layout: 'plain', sysroot, imageSize }
        const options = {
          ...{ seed: 'a seed', disk: given, sectorSize, rootfs },
          ...(bytes !== undefined && { size: bytes }),
        }
        const plan = planned(options, system)
        if (!plan) return
        checkPlaces(plan, MiB)
        checkJson(plan, options, system)
        const last = plan.partitions.at(-1) as PlannedPartition
        expect(isRoot(last)).toBe(true)
        expect(last.start + last.size).toBe(usableBytes(plan.size, sectorSize).end)
        for (const { content, size: length } of plan.partitions) checkContent(content, length)
        if (typeof bytes === 'number') expect(plan.size).toBe(bytes)
        const total = (given.partitions ?? []).reduce((sum, { minsize }) => sum + minsize, 0)
        expect(plan.partitions.reduce((sum, partition) => sum + partition.size, 0)).toBeGreaterThanOrEqual(
          total,
        )
        if (bytes === undefined) {
          expect(plan.size).toBeGreaterThanOrEqual(Math.max(given.minsize ?? 0, 2 * imageSize))
        }
      },
    ),
    { numRuns: 100 },
  )
})

test('random tables of images', () => {
  const system: PlannedSystem = { architecture: 'x86_64', layout: 'ostree', sysroot }
  return fc.assert(
    fc.property(embedded, asked, (partitionTable, bytes) => {
      const options = { seed: 'a seed', partitionTable, ...(bytes !== undefined && { size: bytes }) }
      const plan = planned(options, system)
      if (!plan) return
      checkPlaces(plan, partitionTable.grain_size ?? MiB, (partitionTable.extra_padding ?? 0) * 512)
      checkJson(plan, options, system)
      expect(plan.partitions.map(isRoot)).toEqual(
        plan.partitions.map((_, index) => index === plan.partitions.length - 1),
      )
      if (bytes === undefined) expect(plan.size).toBeGreaterThanOrEqual(10 * GiB)
    }),
    { numRuns: 100 },
  )
})
