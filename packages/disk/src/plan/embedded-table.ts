import type {
  EmbeddedBtrfs,
  EmbeddedFilesystem,
  EmbeddedLogicalVolume,
  EmbeddedLuks,
  EmbeddedMountOptions,
  EmbeddedPartition,
  EmbeddedPartitionTable,
  EmbeddedPayload,
  EmbeddedVolumeGroup,
} from '@bootable/blueprint'
import { PARTITION_TYPES } from '../gpt/types.ts'
import { DEFAULT_ARGON2ID } from '../luks/kdf.ts'
import { rootLast } from './automatic.ts'
import {
  DEFAULT_DISK_SIZE,
  rootContent,
  subvolumeOptions,
  type TableContext,
  tableDefaults,
} from './base-table.ts'
import { automaticType } from './customized-table.ts'
import { contentName, nameApart, unusedName, volumeName } from './naming.ts'
import {
  type DiskTable,
  holdsRoot,
  type TableContent,
  type TableEntry,
  type TableFilesystem,
  type TableLuks,
  type TableVolume,
} from './table.ts'

/** The table that an image brings along in its `disk.yaml`. It is taken as it is: nothing is added to it. */
export function embeddedTable(given: EmbeddedPartitionTable, context: TableContext): DiskTable {
  const { type, uuid, policy, start_offset = 0, absolute_start_offset = false } = given
  const defaults = tableDefaults(context)
  const entries = given.partitions.map((partition, index) =>
    embeddedEntry(partition, `partition_table.partitions[${index}]`, type, context),
  )
  return {
    ...defaults,
    type,
    ...(uuid !== undefined && { uuid: uuid.toLowerCase().replace(/^0x/, '') }),
    size: given.size ?? DEFAULT_DISK_SIZE,
    grain: given.grain_size ?? defaults.grain,
    startOffset: { bytes: start_offset, absolute: absolute_start_offset },
    padding: (given.extra_padding ?? 0) * context.sectorSize,
    growRoot: policy?.grow_root_to_fill_disk ?? true,
    entries: nameApart(rootLast(entries)),
  }
}

function embeddedEntry(
  partition: EmbeddedPartition,
  key: string,
  table: DiskTable['type'],
  context: TableContext,
): TableEntry {
  const content = payloadContent(partition, key, context)
  const { size, start, type, bootable = false, uuid, label = '', attrs = [] } = partition
  const guid = type?.toLowerCase() ?? automaticType(content, table, context)
  return {
    name: content ? contentName(content) : emptyName(guid),
    key,
    type: guid,
    ...(uuid !== undefined && { uuid: uuid.toLowerCase() }),
    label,
    // On a GPT sfdisk, and so osbuild, makes nothing of it.
    attributes: table === 'dos' ? (bootable ? [7] : []) : [...new Set(attrs)].sort((a, b) => a - b),
    ...(start !== undefined && { start }),
    ...embeddedSize(size, content),
    ...(content && { content }),
  }
}

/** The size of the root is a suggestion; all others are as they are. */
function embeddedSize(size: number, content: TableContent | undefined): { size: number; minimum: number } {
  return { size, minimum: holdsRoot(content) ? 0 : size }
}

function emptyName(type: string): string {
  if (type === PARTITION_TYPES.biosBoot) return 'bios'
  return type === PARTITION_TYPES.prep ? 'prep' : 'data'
}

function payloadContent(
  content: EmbeddedPayload,
  key: string,
  context: TableContext,
): TableContent | undefined {
  switch (content.payload_type) {
    case 'filesystem':
      return filesystem(content.payload, context)
    case 'swap': {
      const { uuid, label = '' } = content.payload
      return { type: 'swap', label, ...lowerUuid(uuid), ...mountFields(content.payload) }
    }
    case 'btrfs':
      return btrfs(content.payload)
    case 'lvm':
      return volumeGroup(content.payload, `${key}.payload`, context)
    case 'luks':
      return luks(content.payload, `${key}.payload`, context)
    case 'raw':
      return { type: 'raw', path: content.payload.source_path }
    default:
      return undefined
  }
}

function filesystem(payload: EmbeddedFilesystem, context: TableContext): TableContent {
  const { type, uuid, label = '', mountpoint: path = '', mkfs_options: made = {} } = payload
  const mount = mountFields(payload)
  if (type === undefined && context.rootfs === 'btrfs' && path === '/') {
    return rootContent(context, mount.options === 'defaults' ? {} : { options: mount.options })
  }
  const { verity, geometry, agcount } = made
  return {
    type: 'filesystem',
    format: type ?? defaultFormat(path, context),
    path,
    label,
    ...mount,
    ...(uuid !== undefined && { uuid: type === 'vfat' ? uuid.toUpperCase() : uuid.toLowerCase() }),
    ...(verity !== undefined && { verity }),
    ...(geometry && { geometry: { heads: geometry.heads, sectorsPerTrack: geometry.sectors_per_track } }),
    ...(agcount !== undefined && { agCount: agcount }),
  }
}

function defaultFormat(path: string, { rootfs }: TableContext): TableFilesystem['format'] {
  return rootfs === 'btrfs' && path === '/boot' ? 'ext4' : rootfs
}

function btrfs({ uuid, label = '', mountpoint, subvolumes = [] }: EmbeddedBtrfs): TableContent {
  const mounted = (
    path: string | undefined,
    options: string,
  ): { mount?: { path: string } & ReturnType<typeof mountFields> } =>
    path === undefined ? {} : { mount: { path, options, freq: 0, passno: 0 } }
  const top =
    mountpoint === undefined
      ? []
      : [{ name: '', ...mounted(mountpoint, subvolumeOptions('', undefined)), size: 0 }]
  return {
    type: 'btrfs',
    ...lowerUuid(uuid),
    label,
    subvolumes: [
      ...top,
      ...subvolumes.map(({ name, size = 0, mountpoint: path, compress, read_only = false, uuid: id }) => ({
        name,
        ...mounted(path, subvolumeOptions(name, compress, read_only ? ['ro'] : [])),
        ...(compress !== undefined && { compress }),
        ...lowerUuid(id),
        size,
      })),
    ],
  }
}

function volumeGroup(
  { name = 'vg00', logical_volumes = [] }: EmbeddedVolumeGroup,
  key: string,
  context: TableContext,
): TableContent {
  const taken = new Set(logical_volumes.flatMap((volume) => volume.name ?? []))
  const volumes = logical_volumes.map((volume, index) => {
    const named = logicalVolume(volume, `${key}.logical_volumes[${index}]`, taken, context)
    taken.add(named.name)
    return named
  })
  return { type: 'lvm', name, volumes }
}

function logicalVolume(
  volume: EmbeddedLogicalVolume,
  key: string,
  taken: ReadonlySet<string>,
  context: TableContext,
): TableVolume {
  const content = payloadContent(volume, key, context)
  return {
    name: volume.name ?? unusedName(volumeName(content), taken),
    key,
    ...embeddedSize(volume.size, content),
    ...(content && { content }),
  }
}

function luks(payload: EmbeddedLuks, key: string, context: TableContext): TableLuks {
  const { passphrase, uuid, label, subsystem, sector_size, pbkdf } = payload
  return {
    type: 'luks',
    key,
    ...lowerUuid(uuid),
    ...(passphrase !== undefined && { passphrase }),
    ...(label !== undefined && { label }),
    ...(subsystem !== undefined && { subsystem }),
    sectorSize: sector_size ?? context.sectorSize,
    pbkdf: {
      ...DEFAULT_ARGON2ID,
      ...(pbkdf?.iterations !== undefined && { time: pbkdf.iterations }),
      ...(pbkdf?.memory !== undefined && { memory: pbkdf.memory }),
      ...(pbkdf?.parallelism !== undefined && { cpus: pbkdf.parallelism }),
    },
    // The types of `disk.yaml` have nothing without a payload in here.
    content: payloadContent(payload, key, context) as TableContent,
  }
}

function mountFields({ fstab_options, fstab_freq, fstab_passno }: EmbeddedMountOptions): {
  options: string
  freq: number
  passno: number
} {
  return { options: fstab_options || 'defaults', freq: fstab_freq ?? 0, passno: fstab_passno ?? 0 }
}

function lowerUuid(uuid: string | undefined): { uuid?: string } {
  return uuid === undefined ? {} : { uuid: uuid.toLowerCase() }
}
