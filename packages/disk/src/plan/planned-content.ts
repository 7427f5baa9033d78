import { alignDown } from '@bootable/bytes'
import type { Architecture, StorageLayer } from '@bootable/system'
import { LUKS_OVERHEAD, planLuks } from '../luks/index.ts'
import { LVM_EXTENT_SIZE, logicalVolumesSize, planVolumeGroup, type VolumeGroupLayout } from '../lvm/index.ts'
import type {
  BtrfsContent,
  FilesystemContent,
  LuksContent,
  LvmContent,
  PlannedContent,
  SwapContent,
} from './content.ts'
import { encryptedLayer, filesystemMount, logicalLayer, subvolumeMount, swapMount } from './mounts.ts'
import type { TableBtrfs, TableContent, TableFilesystem, TableLuks, TableLvm } from './table.ts'

/** What contents depend on beside the table. */
export interface ContentContext {
  readonly seed: string
  readonly architecture: Architecture
  /** `/boot` is a filesystem of its own. */
  readonly hasBoot: boolean
  /** Sizes of the volumes of a group, in bytes. */
  volumeSizes(group: TableLvm): readonly number[]
}

/**
 * The content of a table as it is to be made.
 * @param size bytes of the partition or volume that holds it
 */
export function planContent(
  content: TableContent,
  size: number,
  layers: readonly StorageLayer[],
  context: ContentContext,
): PlannedContent {
  switch (content.type) {
    case 'filesystem':
      return planFilesystem(content, layers, context)
    case 'btrfs':
      return planBtrfs(content, layers)
    case 'swap':
      return { type: 'swap', mount: swapMount(content, layers), ...pageSize(context) }
    case 'lvm':
      return planGroup(content, size, layers, context)
    case 'luks':
      return planEncrypted(content, size, layers, context)
    case 'raw':
      return { type: 'raw', path: content.path }
  }
}

function planFilesystem(
  content: TableFilesystem,
  layers: readonly StorageLayer[],
  { hasBoot }: ContentContext,
): FilesystemContent {
  const { format, path, geometry, agCount } = content
  // bootc-image-builder allows fs-verity on the root alone: GRUB cannot read a filesystem that has it.
  const { verity = format === 'ext4' && path === '/' && hasBoot } = content
  return {
    type: 'filesystem',
    mount: filesystemMount(content, layers),
    ...(verity && { verity }),
    ...(geometry && { geometry }),
    ...(agCount !== undefined && { agCount }),
  }
}

/** Distributions for ppc64le build kernels with pages of 64 KiB, which take no other swap. */
function pageSize({ architecture }: ContentContext): Pick<SwapContent, 'pageSize'> {
  return architecture === 'ppc64le' ? { pageSize: 65_536 } : {}
}

function planBtrfs(content: TableBtrfs, layers: readonly StorageLayer[]): BtrfsContent {
  const subvolumes = content.subvolumes.map((subvolume) => {
    const { name, compress, uuid } = subvolume
    const mount = subvolumeMount(content, subvolume, layers)
    return {
      name,
      ...(mount && { mount }),
      ...(compress !== undefined && { compress }),
      ...(uuid !== undefined && name !== '' && { uuid }),
    }
  })
  return { type: 'btrfs', uuid: content.uuid as string, label: content.label, subvolumes }
}

function planGroup(
  content: TableLvm,
  size: number,
  layers: readonly StorageLayer[],
  context: ContentContext,
): LvmContent {
  const group = layoutGroup(content, size, context)
  const volumes = content.volumes.map(({ name, content: inside }, index) => {
    const { size: bytes } = group.volumes[index] as VolumeGroupLayout['volumes'][number]
    const inner = [...layers, logicalLayer(content.name, name)]
    return { name, ...(inside && { content: planContent(inside, bytes, inner, context) }) }
  })
  return { type: 'lvm', group, volumes }
}

/** Volumes stay at their sizes and free extents free, but for a root of which nobody has said how large. */
function layoutGroup(
  content: TableLvm,
  size: number,
  { seed, volumeSizes }: ContentContext,
): VolumeGroupLayout {
  const { name } = content
  const sizes = volumeSizes(content)
  const spare = Math.max(0, alignDown(size - logicalVolumesSize(sizes), LVM_EXTENT_SIZE))
  const volumes = content.volumes.map((volume, index) => ({
    name: volume.name,
    size: (sizes[index] as number) + (volume.fills ? spare : 0),
  }))
  return planVolumeGroup({ name, seed, size, volumes })
}

function planEncrypted(
  content: TableLuks,
  size: number,
  layers: readonly StorageLayer[],
  context: ContentContext,
): LuksContent {
  const { uuid = '', label, subsystem, sectorSize, pbkdf } = content
  const luks = planLuks({
    uuid,
    seed: context.seed,
    ...(label !== undefined && { label }),
    ...(subsystem !== undefined && { subsystem }),
    sectorSize,
    pbkdf,
  })
  const inner = [...layers, encryptedLayer(uuid)]
  return { type: 'luks', luks, content: planContent(content.content, size - LUKS_OVERHEAD, inner, context) }
}
