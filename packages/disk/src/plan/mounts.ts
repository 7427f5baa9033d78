import { compareBytewise } from '@bootable/bytes'
import type { MountPoint, StorageLayer } from '@bootable/system'
import { checkOptions, type OutlinedSystem, type PlanDiskOptions, type SectorSize } from './options.ts'
import { type LuksSecrets, luksSecrets } from './secrets.ts'
import type { DiskTable, TableContent, TableFilesystem, TableSubvolume, TableSwap } from './table.ts'

/** Everything about a disk but sizes and places. */
export interface DiskOutline {
  /** Kind of its partition table. */
  readonly type: DiskTable['type']
  readonly sectorSize: SectorSize
  /** Sorted by path, so that `/boot` stands before `/boot/efi`; swap has the path `none`. */
  readonly mounts: readonly MountPoint[]
  /** Passphrases that stand in the request itself. Those of `encrypted` that are missing have to be given. */
  readonly secrets: LuksSecrets
  /** Uuids of all encrypted volumes. */
  readonly encrypted: readonly string[]
}

/**
 * Which filesystems a disk will have, where they are mounted, what they lie in and under which uuids, so that
 * it is there before the system is complete. {@link planDisk} with the same options gives the same
 * filesystems.
 *
 * @throws BootableError `DISK_OPTIONS_INVALID`
 */
export function outlineDisk(system: OutlinedSystem, options: PlanDiskOptions): DiskOutline {
  const { table } = checkOptions(system, options)
  const { type, sectorSize, entries } = table
  const mounts = entries
    .flatMap(({ content }) => contentMounts(content, []))
    .sort((a, b) => compareBytewise(a.path, b.path))
  return { type, sectorSize, mounts, ...luksSecrets(table) }
}

/**
 * The mounts of {@link outlineDisk} alone.
 * @throws BootableError `DISK_OPTIONS_INVALID`
 */
export function planMounts(system: OutlinedSystem, options: PlanDiskOptions): MountPoint[] {
  return [...outlineDisk(system, options).mounts]
}

function contentMounts(content: TableContent | undefined, layers: readonly StorageLayer[]): MountPoint[] {
  switch (content?.type) {
    case 'filesystem':
      return content.path === '' ? [] : [filesystemMount(content, layers)]
    case 'swap':
      return [swapMount(content, layers)]
    case 'btrfs':
      return content.subvolumes.flatMap((subvolume) => subvolumeMount(content, subvolume, layers) ?? [])
    case 'lvm':
      return content.volumes.flatMap((volume) =>
        contentMounts(volume.content, [...layers, logicalLayer(content.name, volume.name)]),
      )
    case 'luks':
      return contentMounts(content.content, [...layers, encryptedLayer(content.uuid)])
    default:
      return []
  }
}

/** A filesystem with what it lies in, from the partition inwards. */
export function filesystemMount(
  { path, format, uuid = '', label, options, freq, passno }: TableFilesystem,
  layers: readonly StorageLayer[],
): MountPoint {
  return { path, type: format, uuid, label, options, freq, passno, ...inLayers(layers) }
}

export function swapMount(
  { uuid = '', label, options, freq, passno }: TableSwap,
  layers: readonly StorageLayer[],
): MountPoint {
  return { path: 'none', type: 'swap', uuid, label, options, freq, passno, ...inLayers(layers) }
}

/** `undefined` for a subvolume that nothing mounts. */
export function subvolumeMount(
  { uuid = '', label }: { readonly uuid?: string; readonly label: string },
  { mount }: TableSubvolume,
  layers: readonly StorageLayer[],
): MountPoint | undefined {
  if (!mount) return undefined
  const { path, options, freq, passno } = mount
  return { path, type: 'btrfs', uuid, label, options, freq, passno, ...inLayers(layers) }
}

export function logicalLayer(group: string, volume: string): StorageLayer {
  return { type: 'lvm', group, volume }
}

export function encryptedLayer(uuid = ''): StorageLayer {
  return { type: 'luks', uuid }
}

function inLayers(layers: readonly StorageLayer[]): Pick<MountPoint, 'layers'> {
  return layers.length > 0 ? { layers } : {}
}
