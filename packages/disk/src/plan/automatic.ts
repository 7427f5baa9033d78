import { GiB } from '@bootable/bytes'
import { dosPartitionType, PARTITION_TYPES, ROOT_PARTITION_TYPES } from '../gpt/types.ts'
import {
  BIOS_BOOT,
  bootEntry,
  bootFilesystem,
  DEFAULT_ROOT_SIZE,
  ESP,
  firmwarePartitions,
  plainFilesystem,
  rootContent,
  subvolumeOptions,
  type TableContext,
} from './base-table.ts'
import { nameApart, unusedName } from './naming.ts'
import {
  contentsIn,
  type DiskTable,
  holdsRoot,
  mountedPaths,
  type TableContent,
  type TableEntry,
  type TablePolicy,
} from './table.ts'

/**
 * Identifiers that image-builder has had from its first years on. It still gives them to the partitions
 * that it adds to a table of the user's.
 */
const BIOS_BOOT_UUID = 'fac7f1fb-3e8d-4137-a512-961de09a5549'
const ESP_UUID = '68b2905b-df3e-4fb3-80fa-49d1e773aa33'
const ESP_VOLUME_ID = '7B77-95E7'

/**
 * Adds what a table of the user's lacks to start and run a system: partitions for the firmware, a root, and
 * a `/boot` where the root is on something that not every boot loader reads. The root's partition goes last.
 */
export function addAutomaticPartitions(
  given: readonly TableEntry[],
  table: DiskTable['type'],
  context: TableContext,
  { ensure_xbootldr = true }: TablePolicy,
): TableEntry[] {
  const entries = ensureRoot(given, table, context)
  const paths = entries.flatMap(({ content }) => mountedPaths(content))
  const firmware = firmwareEntries(table, context).filter(
    ({ name }) => name !== 'esp' || !paths.includes('/boot/efi'),
  )
  const wantsBoot = ensure_xbootldr && !context.isUnified && !paths.includes('/boot')
  const boot = wantsBoot && !hasPlainRoot(entries) ? [automaticBoot(table, context)] : []
  return nameApart(rootLast([...firmware, ...boot, ...entries]))
}

/** The partition that holds `/` stands last, so that it can grow with the disk. */
export function rootLast(entries: readonly TableEntry[]): TableEntry[] {
  const isRoot = ({ content }: TableEntry): boolean => holdsRoot(content)
  return [...entries.filter((entry) => !isRoot(entry)), ...entries.filter(isRoot)]
}

function firmwareEntries(table: DiskTable['type'], context: TableContext): TableEntry[] {
  const wanted = firmwarePartitions(context).filter((entry) => {
    // On a DOS table GRUB's core image lies in front of the first partition. A unified kernel image is
    // started by UEFI alone.
    return entry !== BIOS_BOOT || (table === 'gpt' && !context.isUnified)
  })
  return wanted.map((entry) => {
    if (entry === BIOS_BOOT) return { ...entry, uuid: BIOS_BOOT_UUID }
    const isEsp = entry === ESP
    const uuid = isEsp && table === 'gpt' ? { uuid: ESP_UUID } : {}
    const content = isEsp ? { content: automaticEsp() } : {}
    const type = table === 'dos' ? { type: dosPartitionType(entry.type) } : {}
    // A boot loader of Open Firmware is looked for in the active partition of a DOS table.
    const attributes = table === 'dos' && !isEsp ? { attributes: [7] } : {}
    return { ...entry, ...uuid, ...content, ...type, ...attributes }
  })
}

function automaticEsp(): TableContent {
  return {
    ...{ type: 'filesystem', format: 'vfat', path: '/boot/efi', uuid: ESP_VOLUME_ID, label: 'ESP' },
    ...{ options: 'defaults,uid=0,gid=0,umask=077,shortname=winnt', freq: 0, passno: 2 },
  }
}

function automaticBoot(table: DiskTable['type'], context: TableContext): TableEntry {
  const entry = bootEntry()
  return {
    ...entry,
    type: table === 'dos' ? dosPartitionType(entry.type) : entry.type,
    content: bootFilesystem(context),
  }
}

/** A root that is a filesystem right in a partition: boot loaders read what is below its `/boot`. */
function hasPlainRoot(entries: readonly TableEntry[]): boolean {
  return entries.some(({ content }) => content?.type === 'filesystem' && content.path === '/')
}

/** A table without a root gets one in its volume group, in its btrfs volume, or in a partition. */
function ensureRoot(
  entries: readonly TableEntry[],
  table: DiskTable['type'],
  context: TableContext,
): TableEntry[] {
  if (entries.some(({ content }) => holdsRoot(content))) return [...entries]
  const host = entries.findIndex(({ content }) =>
    contentsIn(content).some(({ type }) => type === 'lvm' || type === 'btrfs'),
  )
  const found = entries[host]
  if (!found?.content) return [...entries, rootPartition(table, context)]
  return entries.with(host, { ...found, content: withRoot(found.content, context) })
}

function rootPartition(table: DiskTable['type'], context: TableContext): TableEntry {
  const guid = ROOT_PARTITION_TYPES[context.architecture]
  return {
    ...{ name: 'root', key: 'root', label: '', attributes: [], size: DEFAULT_ROOT_SIZE, minimum: 0 },
    type: table === 'dos' ? dosPartitionType(guid) : guid,
    content: rootContent(context),
  }
}

function withRoot(content: TableContent, context: TableContext): TableContent {
  if (content.type === 'luks') return { ...content, content: withRoot(content.content, context) }
  if (content.type === 'lvm') {
    const name = unusedName('rootlv', new Set(content.volumes.map((volume) => volume.name)))
    const volume = {
      ...{ name, key: 'root', size: DEFAULT_ROOT_SIZE, minimum: 0, fills: true },
      content: rootContent(context),
    }
    return { ...content, volumes: [...content.volumes, volume] }
  }
  if (content.type !== 'btrfs') return content
  const name = unusedName('root', new Set(content.subvolumes.map((subvolume) => subvolume.name)))
  const mount = { path: '/', options: subvolumeOptions(name, undefined), freq: 0, passno: 0 }
  return { ...content, subvolumes: [...content.subvolumes, { name, mount, size: 0 }] }
}

/** A partition for a mount point that a blueprint asks for beside those of the table. */
export function extraEntry(path: string, table: DiskTable['type'], context: TableContext): TableEntry {
  const { linux } = PARTITION_TYPES
  return {
    ...{
      name: path.slice(1).replaceAll('/', '-'),
      key: path,
      label: '',
      attributes: [],
      minimum: 0,
      size: GiB,
    },
    type: table === 'dos' ? dosPartitionType(linux) : linux,
    content: plainFilesystem(context.rootfs, path, ''),
  }
}
