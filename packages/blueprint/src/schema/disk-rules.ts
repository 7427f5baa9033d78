import type { RefinementCtx } from 'zod'
import type { DiskCustomization, FilesystemContent, PartitionCustomization } from '../blueprint.ts'

type Report = (path: readonly PropertyKey[], message: string) => void

/** The rules of a partition table that span more than one key, as osbuild's blueprint has them. */
export function checkDisk(disk: DiskCustomization, context: RefinementCtx): void {
  const report: Report = (path, message) => {
    context.addIssue({ code: 'custom', path: [...path], message })
  }
  const partitions = disk.partitions ?? []
  const groups = partitions.filter(({ type }) => type === 'lvm').length
  const volumes = partitions.filter(({ type }) => type === 'btrfs').length
  if (groups > 0 && volumes > 0) report(['partitions'], 'lvm and btrfs cannot be on one disk')
  if (groups > 1) report(['partitions'], 'more than one volume group')
  if (volumes > 1) report(['partitions'], 'more than one btrfs volume')
  if (disk.type === 'dos' && partitions.length > 4) {
    report(['partitions'], `a dos table holds 4 partitions, these are ${partitions.length}`)
  }

  const mounted = uniqueness(report, 'mount point')
  partitions.forEach((partition, index) => {
    const path = ['partitions', index]
    checkAttributes(disk, partition, path, report)
    if (partition.type === 'lvm') {
      const named = uniqueness(report, 'name')
      partition.logical_volumes.forEach((volume, at) => {
        const here = [...path, 'logical_volumes', at]
        checkContent(volume, here, report)
        if (volume.mountpoint === '/boot' || volume.mountpoint === '/boot/efi') {
          report([...here, 'mountpoint'], `${volume.mountpoint} cannot be on a logical volume`)
        }
        named(volume.name, [...here, 'name'])
        mounted(volume.mountpoint, [...here, 'mountpoint'])
      })
    } else if (partition.type === 'btrfs') {
      const named = uniqueness(report, 'name')
      partition.subvolumes.forEach(({ name, mountpoint }, at) => {
        const here = [...path, 'subvolumes', at]
        if (mountpoint === '/boot/efi') report([...here, 'mountpoint'], '/boot/efi must be vfat')
        named(name, [...here, 'name'])
        mounted(mountpoint, [...here, 'mountpoint'])
      })
    } else {
      checkContent(partition, path, report)
      mounted(partition.mountpoint, [...path, 'mountpoint'])
    }
  })
}

function uniqueness(report: Report, what: string): (value: string | undefined, path: PropertyKey[]) => void {
  const seen = new Set<string>()
  return (value, path) => {
    if (value === undefined) return
    if (seen.has(value)) report(path, `this ${what} stands here twice: ${value}`)
    seen.add(value)
  }
}

function checkAttributes(
  disk: DiskCustomization,
  partition: PartitionCustomization,
  path: PropertyKey[],
  report: Report,
): void {
  const { part_type: type } = partition
  if (disk.type === 'dos') {
    for (const key of ['part_label', 'part_uuid'] as const) {
      if (partition[key] !== undefined) report([...path, key], 'does not exist on a dos table')
    }
    if (type !== undefined && !/^[0-9a-fA-F]{2}$/.test(type)) {
      report([...path, 'part_type'], 'must be two hexadecimal digits on a dos table')
    }
  } else if (type !== undefined && !/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(type)) {
    report([...path, 'part_type'], 'must be a GUID on a gpt')
  }
}

function checkContent(content: FilesystemContent, path: PropertyKey[], report: Report): void {
  const { fs_type: type, mountpoint } = content
  const mountable = type !== 'swap' && type !== 'none'
  if (!mountable && mountpoint !== undefined) report([...path, 'mountpoint'], `${type} is not mounted`)
  if (mountable && mountpoint === undefined) report(path, `${type} needs a mountpoint`)
  if (mountpoint === '/boot' && type !== 'ext4' && type !== 'xfs') {
    report([...path, 'fs_type'], '/boot must be ext4 or xfs')
  }
  if (mountpoint === '/boot/efi' && type !== 'vfat') report([...path, 'fs_type'], '/boot/efi must be vfat')
}
