import { seededBytes, seededUuid, toHex, type Uuid } from '@bootable/bytes'
import { type DiskTable, mountedPaths, type TableContent, type TableEntry } from './table.ts'

/**
 * A table in which everything has its uuid: what the request gives, else what follows from the seed and the
 * use. The use is a mount point where there is one, so that one more partition changes no other.
 */
export function identifyTable(table: DiskTable, seed: string): DiskTable {
  const entries = table.entries.map((entry) => identifyEntry(entry, seed))
  const disk = table.type === 'gpt' ? seededUuid(seed, 'disk') : serialNumber(seed, 'disk')
  return { ...table, uuid: table.uuid ?? disk, entries }
}

function identifyEntry(entry: TableEntry, seed: string): TableEntry {
  const { content, name, uuid } = entry
  const paths = content?.type === 'lvm' ? [] : mountedPaths(content)
  return {
    ...entry,
    uuid: uuid ?? seededUuid(seed, `partition:${paths[0] ?? name}`),
    ...(content && { content: identify(content, name, seed) }),
  }
}

/** @param holder name of the partition or volume: its use where nothing in it is mounted */
function identify(content: TableContent, holder: string, seed: string): TableContent {
  switch (content.type) {
    case 'filesystem': {
      const purpose = `filesystem:${content.path || holder}`
      const uuid = content.format === 'vfat' ? volumeId(seed, purpose) : seededUuid(seed, purpose)
      return { ...content, uuid: content.uuid ?? uuid }
    }
    case 'btrfs': {
      const purpose = `filesystem:${mountedPaths(content)[0] ?? holder}`
      const subvolumes = content.subvolumes.map((subvolume) => ({
        ...subvolume,
        uuid: subvolume.uuid ?? seededUuid(seed, `subvolume:${holder}:${subvolume.name}`),
      }))
      return { ...content, uuid: content.uuid ?? seededUuid(seed, purpose), subvolumes }
    }
    case 'swap':
      return { ...content, uuid: content.uuid ?? seededUuid(seed, `swap:${holder}`) }
    case 'lvm': {
      const volumes = content.volumes.map((volume) =>
        volume.content
          ? { ...volume, content: identify(volume.content, `${content.name}/${volume.name}`, seed) }
          : volume,
      )
      return { ...content, volumes }
    }
    case 'luks': {
      const uuid = content.uuid ?? seededUuid(seed, `luks:${holder}`)
      return { ...content, uuid, content: identify(content.content, holder, seed) }
    }
    case 'raw':
      return content
  }
}

/** The serial number of a FAT volume, `XXXX-XXXX`. */
function volumeId(seed: string, purpose: string): Uuid {
  const digits = serialNumber(seed, purpose).toUpperCase()
  return `${digits.slice(0, 4)}-${digits.slice(4)}`
}

function serialNumber(seed: string, purpose: string): string {
  return toHex(seededBytes(seed, purpose, 4))
}
