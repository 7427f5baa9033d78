import type { Timestamp } from '@bootable/tree'
import {
  ATTR_ARCHIVE,
  ATTR_DIRECTORY,
  ATTR_LONG_NAME,
  ATTR_VOLUME_ID,
  DirectoryEntry,
  ENTRY_SIZE,
  LAST_LONG_ENTRY,
  LONG_NAME_UNITS,
  LongNameEntry,
} from './format.ts'
import { shortNameChecksum } from './names.ts'
import type { FatAllocation, FatPlan, PlannedDirectory } from './plan.ts'
import { encodeTime } from './time.ts'

/** What the root directory says about the volume. */
export interface VolumeLabel {
  readonly label: string
  readonly time: Timestamp
}

const DOT = Uint8Array.from('.          ', (character) => character.charCodeAt(0))
const DOT_DOT = Uint8Array.from('..         ', (character) => character.charCodeAt(0))

/**
 * The bytes of one directory of the plan, not padded to clusters.
 * @param index position in `plan.directories`; 0 is the root, which alone has a label and no dot entries
 */
export function encodeDirectory(
  plan: FatPlan,
  allocation: FatAllocation,
  index: number,
  volume: VolumeLabel | undefined,
): Uint8Array {
  const directory = plan.directories[index] as PlannedDirectory
  const bytes = new Uint8Array(directory.slots * ENTRY_SIZE)
  const entry = DirectoryEntry.at(bytes, -ENTRY_SIZE)
  const long = LongNameEntry.at(bytes)

  const put = (name: Uint8Array, attr: number, mtime: Timestamp, cluster = 0, size = 0): void => {
    const { date, time } = encodeTime(mtime)
    entry.base += ENTRY_SIZE
    entry.name = name
    entry.attr = attr
    entry.crtTime = time
    entry.crtDate = date
    entry.lstAccDate = date
    entry.fstClusHi = cluster >>> 16
    entry.wrtTime = time
    entry.wrtDate = date
    entry.fstClusLo = cluster & 0xffff
    entry.fileSize = size
  }
  const putLong = (name: string, checksum: number): void => {
    for (let ord = Math.ceil(name.length / LONG_NAME_UNITS); ord > 0; ord--) {
      const units = longNameUnits(name, ord)
      entry.base += ENTRY_SIZE
      long.base = entry.base
      long.ord = ord * LONG_NAME_UNITS >= name.length ? ord | LAST_LONG_ENTRY : ord
      long.name1 = units.slice(0, 5)
      long.attr = ATTR_LONG_NAME
      long.chksum = checksum
      long.name2 = units.slice(5, 11)
      long.name3 = units.slice(11)
    }
  }

  if (index > 0) {
    const { mtime } = directory.inode
    put(DOT, ATTR_DIRECTORY, mtime, allocation.directories[index])
    // A parent that is the root is written as cluster 0, also in FAT32 (fatgen103, page 25).
    put(DOT_DOT, ATTR_DIRECTORY, mtime, directory.parent === 0 ? 0 : allocation.directories[directory.parent])
  } else if (volume) {
    const name = Uint8Array.from(volume.label.padEnd(11), (character) => character.charCodeAt(0))
    put(name, ATTR_VOLUME_ID, volume.time)
  }
  for (const { name, short, inode, index: target } of directory.entries) {
    if (short.lossy) putLong(name, shortNameChecksum(short.bytes))
    if (inode.type === 'directory') {
      put(short.bytes, ATTR_DIRECTORY, inode.mtime, allocation.directories[target])
    } else put(short.bytes, ATTR_ARCHIVE, inode.mtime, allocation.files[target], inode.content.size)
  }
  return bytes
}

/** The 13 units of one long name entry: a name that ends early ends in a zero, all ones follow. */
function longNameUnits(name: string, ord: number): number[] {
  const start = (ord - 1) * LONG_NAME_UNITS
  return Array.from({ length: LONG_NAME_UNITS }, (_, unit) => {
    const position = start + unit
    if (position < name.length) return name.charCodeAt(position)
    return position === name.length ? 0 : 0xffff
  })
}
