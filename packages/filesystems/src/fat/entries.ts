import { FormatError } from '@bootable/bytes'
import type { Timestamp } from '@bootable/tree'
import { decodeShortName } from './code-page.ts'
import type { FatType } from './format.ts'
import {
  ATTR_DIRECTORY,
  ATTR_LONG_NAME,
  ATTR_READ_ONLY,
  ATTR_VOLUME_ID,
  DirectoryEntry,
  ENTRY_END,
  ENTRY_FREE,
  ENTRY_SIZE,
  LAST_LONG_ENTRY,
  LONG_NAME_UNITS,
  LongNameEntry,
  MAX_NAME_UNITS,
} from './format.ts'
import { shortNameChecksum } from './names.ts'
import { decodeTime } from './time.ts'

/** A file or directory as its directory describes it. */
export interface DecodedEntry {
  readonly name: string
  readonly directory: boolean
  readonly readOnly: boolean
  readonly firstCluster: number
  /** Bytes; 0 for a directory. */
  readonly size: number
  readonly mtime: Timestamp
}

/** All that a directory says. */
export interface DecodedDirectory {
  readonly entries: readonly DecodedEntry[]
  /** The volume label, which stands in the root. */
  readonly label?: string
}

/**
 * Reads the entries of one directory; `.` and `..` are left out.
 *
 * Long name entries that do not belong to the short entry after them are ignored, as every system does
 * (fatgen103, page 28): they are what software without long names left behind.
 *
 * @throws FormatError for names that no file can have
 */
export function decodeDirectory(bytes: Uint8Array, path: string, type: FatType): DecodedDirectory {
  const entries: DecodedEntry[] = []
  let label: string | undefined
  const long = createLongName()
  const entry = DirectoryEntry.at(bytes)
  for (; entry.base + ENTRY_SIZE <= bytes.length; entry.base += ENTRY_SIZE) {
    const first = bytes[entry.base]
    if (first === ENTRY_END) break
    const { attr } = entry
    if (first === ENTRY_FREE) long.reset()
    else if ((attr & 0x3f) === ATTR_LONG_NAME) long.add(bytes, entry.base)
    else if (attr & ATTR_VOLUME_ID) {
      label ??= decodeShortName(entry.name, 0).replace('.', '')
      long.reset()
    } else {
      const { name: short } = entry
      const shortName = decodeShortName(short, entry.ntRes)
      const name = long.take(shortNameChecksum(short)) ?? shortName
      if (shortName === '.' || shortName === '..') continue
      checkName(name, path)
      const directory = (attr & ATTR_DIRECTORY) !== 0
      entries.push({
        name,
        directory,
        readOnly: (attr & ATTR_READ_ONLY) !== 0,
        // Other systems keep something else there in FAT12 and FAT16: OS/2 its extended attributes.
        firstCluster: (type === 32 ? entry.fstClusHi * 0x1_0000 : 0) + entry.fstClusLo,
        size: directory ? 0 : entry.fileSize,
        mtime: decodeTime({ date: entry.wrtDate, time: entry.wrtTime }),
      })
    }
  }
  return label === undefined ? { entries } : { entries, label }
}

/** Puts a long name together from its entries, which come last part first. */
function createLongName(): {
  add(bytes: Uint8Array, base: number): void
  /** The name that belongs to a short name with that checksum; ends it either way. */
  take(checksum: number): string | undefined
  reset(): void
} {
  let units: number[] = []
  let expected = 0
  let checksum = -1

  const reset = (): void => {
    units = []
    expected = 0
    checksum = -1
  }
  return {
    reset,
    add(bytes, base) {
      const entry = LongNameEntry.at(bytes, base)
      const ord = entry.ord & 0x3f
      if (entry.ord & LAST_LONG_ENTRY) {
        reset()
        checksum = entry.chksum
      } else if (ord !== expected || entry.chksum !== checksum) return reset()
      if (ord < 1 || ord * LONG_NAME_UNITS > MAX_NAME_UNITS + LONG_NAME_UNITS) return reset()
      units = [...entry.name1, ...entry.name2, ...entry.name3, ...units]
      expected = ord - 1
    },
    take(found) {
      const whole = units.length > 0 && expected === 0 && checksum === found
      const end = units.indexOf(0)
      const name = String.fromCharCode(...(end < 0 ? units : units.slice(0, end)))
      reset()
      return whole && name !== '' ? name : undefined
    },
  }
}

function checkName(name: string, path: string): void {
  const bad = name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')
  if (!bad && name.length <= MAX_NAME_UNITS && isWellFormed(name)) return
  throw new FormatError(
    'FORMAT_INVALID',
    { format: 'fat', structure: `directory ${path || '/'}`, actual: name },
    `${JSON.stringify(name)} is no file name`,
  )
}

/** Whether there is no half of a surrogate pair: such a name has no UTF-8 form. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}
