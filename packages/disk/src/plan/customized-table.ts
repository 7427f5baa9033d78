import type {
  BtrfsPartition,
  DiskCustomization,
  EncryptionCustomization,
  FilesystemContent,
  LogicalVolume,
  LvmPartition,
  PartitionCustomization,
} from '@bootable/blueprint'
import { dosPartitionType, PARTITION_TYPES, ROOT_PARTITION_TYPES, USR_PARTITION_TYPES } from '../gpt/types.ts'
import { addAutomaticPartitions } from './automatic.ts'
import { plainFilesystem, subvolumeOptions, type TableContext, tableDefaults } from './base-table.ts'
import { contentName, unusedName, volumeName } from './naming.ts'
import {
  type DiskTable,
  mountedPaths,
  type TableContent,
  type TableEntry,
  type TableLuks,
  type TablePolicy,
  type TableVolume,
} from './table.ts'

/**
 * The table of a blueprint's `customizations.disk`, with the partitions that osbuild adds to it by itself.
 * The sizes are what the blueprint says, no larger; the disk has the size that follows from them.
 */
export function customizedTable(
  disk: DiskCustomization,
  context: TableContext,
  policy: TablePolicy = {},
): DiskTable {
  const type = disk.type ?? 'gpt'
  const entries = (disk.partitions ?? []).map((partition, index) =>
    customizedEntry(partition, `disk.partitions[${index}]`, type, context),
  )
  return {
    ...tableDefaults(context),
    type,
    size: disk.minsize ?? 0,
    startOffset: { bytes: disk.start_offset ?? 0, absolute: false },
    growRoot: policy.grow_root_to_fill_disk ?? true,
    entries: addAutomaticPartitions(entries, type, context, policy),
  }
}

function customizedEntry(
  partition: PartitionCustomization,
  key: string,
  table: DiskTable['type'],
  context: TableContext,
): TableEntry {
  const inside = partitionContent(partition, key, context)
  const content = encrypt(inside, partition.encryption, `${key}.encryption`, context)
  const { part_type, part_uuid, part_label = '', minsize } = partition
  return {
    name: contentName(content),
    key,
    type: part_type?.toLowerCase() ?? automaticType(content, table, context),
    ...(part_uuid !== undefined && { uuid: part_uuid.toLowerCase() }),
    label: part_label,
    attributes: [],
    size: minsize,
    minimum: minsize,
    ...(content && { content }),
  }
}

function partitionContent(
  partition: PartitionCustomization,
  key: string,
  context: TableContext,
): TableContent | undefined {
  if (partition.type === 'lvm') return volumeGroup(partition, key, context)
  if (partition.type === 'btrfs') return btrfsVolume(partition)
  return filesystem(partition)
}

function volumeGroup(
  { name = 'vg00', logical_volumes }: LvmPartition,
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
  { name, minsize, encryption, ...rest }: LogicalVolume,
  key: string,
  taken: ReadonlySet<string>,
  context: TableContext,
): TableVolume {
  const content = encrypt(filesystem(rest), encryption, `${key}.encryption`, context)
  return {
    name: name ?? unusedName(volumeName(content), taken),
    key,
    size: minsize,
    minimum: minsize,
    ...(content && { content }),
  }
}

function btrfsVolume({ subvolumes }: BtrfsPartition): TableContent {
  return {
    type: 'btrfs',
    label: '',
    subvolumes: subvolumes.map(({ name, mountpoint: path }) => ({
      name,
      mount: { path, options: subvolumeOptions(name, undefined), freq: 0, passno: 0 },
      size: 0,
    })),
  }
}

function filesystem({ fs_type, mountpoint = '', label = '' }: FilesystemContent): TableContent | undefined {
  if (fs_type === 'none') return undefined
  if (fs_type === 'swap') return { type: 'swap', label, options: 'defaults', freq: 0, passno: 0 }
  return plainFilesystem(fs_type, mountpoint, label)
}

function encrypt(
  content: TableContent | undefined,
  encryption: EncryptionCustomization | undefined,
  key: string,
  context: TableContext,
): TableContent | undefined {
  if (!content || !encryption) return content
  const { passphrase, pbkdf = 'argon2id', label, sector_size } = encryption
  const luks: TableLuks = {
    type: 'luks',
    key,
    pbkdf,
    sectorSize: sector_size ?? context.sectorSize,
    ...(passphrase !== undefined && { passphrase }),
    ...(label !== undefined && { label }),
    content,
  }
  return luks
}

/** The type of a partition that was given none: by what is in it, as osbuild has it. */
export function automaticType(
  content: TableContent | undefined,
  table: DiskTable['type'],
  context: TableContext,
): string {
  const guid = automaticGuid(content, context)
  return table === 'dos' ? dosPartitionType(guid) : guid
}

function automaticGuid(content: TableContent | undefined, { architecture }: TableContext): string {
  if (content?.type === 'lvm') return PARTITION_TYPES.lvm
  if (content?.type === 'swap') return PARTITION_TYPES.swap
  const inner = content?.type === 'luks' ? content.content : content
  if (inner?.type === 'filesystem') {
    const [path] = mountedPaths(inner)
    // The Discoverable Partitions Specification has its types for encrypted partitions as well.
    if (path === '/') return ROOT_PARTITION_TYPES[architecture]
    if (path === '/usr') return USR_PARTITION_TYPES[architecture]
    if (path === '/boot') return PARTITION_TYPES.xbootldr
    if (path === '/boot/efi') return PARTITION_TYPES.esp
  }
  return content?.type === 'luks' ? PARTITION_TYPES.luks : PARTITION_TYPES.linux
}
