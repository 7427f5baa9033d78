import type { RefinementCtx } from 'zod'
import type {
  BtrfsPartition,
  DiskCustomization,
  FilesystemContent,
  LvmPartition,
  PartitionCustomization,
} from '../blueprint.ts'
import {
  type CheckedFilesystem,
  checkFilesystemContent,
  checkMountPoint,
  partitionTypeProblem,
} from './mount-rules.ts'
import { type Report, uniqueness } from './uniqueness.ts'

type Path = readonly PropertyKey[]

/** The rules of a partition table that span more than one key, as osbuild's blueprint has them. */
export function checkDisk(disk: DiskCustomization, context: RefinementCtx): void {
  const report: Report = (path, message) => {
    context.addIssue({ code: 'custom', path: [...path], message })
  }
  const partitions = disk.partitions ?? []
  checkTogether(disk, partitions, report)

  const mounted = uniqueness(report, 'mount point')
  const used = uniqueness(report, 'uuid')
  partitions.forEach((partition, index) => {
    const path = ['partitions', index]
    checkAttributes(disk, partition, path, report)
    used(partition.part_uuid?.toLowerCase(), [...path, 'part_uuid'])
    if (partition.type === 'lvm') checkVolumes(partition, path, mounted, report)
    else if (partition.type === 'btrfs') checkSubvolumes(partition, path, mounted, report)
    else {
      checkContent(partition, path, { isEncrypted: partition.encryption !== undefined }, report)
      mounted(partition.mountpoint, [...path, 'mountpoint'])
    }
  })
}

function checkTogether(
  disk: DiskCustomization,
  partitions: readonly PartitionCustomization[],
  report: Report,
): void {
  const groups = partitions.filter(({ type }) => type === 'lvm').length
  const volumes = partitions.filter(({ type }) => type === 'btrfs').length
  if (groups > 0 && volumes > 0) report(['partitions'], 'lvm and btrfs cannot be on one disk')
  if (groups > 1) report(['partitions'], 'more than one volume group')
  if (volumes > 1) report(['partitions'], 'more than one btrfs volume')
  if (disk.type === 'dos' && partitions.length > 4) {
    report(['partitions'], `a dos table holds 4 partitions, these are ${partitions.length}`)
  }
}

function checkVolumes(
  { logical_volumes: volumes, encryption }: LvmPartition,
  path: Path,
  mounted: ReturnType<typeof uniqueness>,
  report: Report,
): void {
  const named = uniqueness(report, 'name')
  volumes.forEach((volume, index) => {
    const here = [...path, 'logical_volumes', index]
    const isEncrypted = encryption !== undefined || volume.encryption !== undefined
    if (encryption !== undefined && volume.encryption !== undefined) {
      report([...here, 'encryption'], 'is one too many: the volume group is encrypted as a whole')
    }
    checkContent(volume, here, { isLogical: true, isEncrypted }, report)
    named(volume.name, [...here, 'name'])
    mounted(volume.mountpoint, [...here, 'mountpoint'])
  })
}

function checkSubvolumes(
  { subvolumes, encryption }: BtrfsPartition,
  path: Path,
  mounted: ReturnType<typeof uniqueness>,
  report: Report,
): void {
  const named = uniqueness(report, 'name')
  subvolumes.forEach(({ name, mountpoint }, index) => {
    const here = [...path, 'subvolumes', index]
    const at = [...here, 'mountpoint']
    checkMountPoint(mountpoint, at, report)
    if (mountpoint === '/boot/efi') report(at, '/boot/efi must be vfat')
    if (mountpoint === '/boot' && encryption) {
      report(at, '/boot cannot be encrypted: the boot loader has to read it')
    }
    named(name, [...here, 'name'])
    mounted(mountpoint, at)
  })
}

function checkAttributes(
  { type: table = 'gpt' }: DiskCustomization,
  partition: PartitionCustomization,
  path: Path,
  report: Report,
): void {
  if (table === 'dos') {
    for (const key of ['part_label', 'part_uuid'] as const) {
      if (partition[key] !== undefined) report([...path, key], 'does not exist on a dos table')
    }
  }
  const problem =
    partition.part_type === undefined ? undefined : partitionTypeProblem(table, partition.part_type)
  if (problem !== undefined) report([...path, 'part_type'], problem)
}

function checkContent(
  { fs_type: type, mountpoint, label }: FilesystemContent,
  path: Path,
  around: Pick<CheckedFilesystem, 'isLogical' | 'isEncrypted'>,
  report: Report,
): void {
  const isMountable = type !== 'swap' && type !== 'none'
  if (!isMountable && mountpoint !== undefined) report([...path, 'mountpoint'], `${type} is not mounted`)
  if (isMountable && mountpoint === undefined) report(path, `${type} needs a mountpoint`)
  const checked = { type, mountpoint: isMountable ? mountpoint : undefined, label, ...around }
  checkFilesystemContent(checked, path, { type: 'fs_type' }, report)
}
