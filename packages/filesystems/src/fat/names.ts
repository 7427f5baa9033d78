import { utf8 } from '@bootable/bytes'
import { MAX_NAME_UNITS } from './format.ts'

/** A short name's base or extension, and what may not be in one (fatgen103, page 23). */
const SHORT = /^[A-Z0-9!#$%&'()@^_`{}~-]*$/
const NOT_SHORT = /[^A-Z0-9!#$%&'()@^_`{}~-]/gu
/** What neither Windows nor Linux takes in a long name. U+FFFF is the padding of long name entries. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[\u0000-\u001f"*/:<>?\\|\uffff]/

/** Why FAT cannot hold this name, `undefined` where it can. */
export function nameProblem(name: string): string | undefined {
  const forbidden = FORBIDDEN.exec(name)
  if (forbidden) return `has the character ${JSON.stringify(forbidden[0])}, which FAT names may not have`
  if (name.length > MAX_NAME_UNITS) return `is longer than ${MAX_NAME_UNITS} UTF-16 units`
  // Every system drops them when it looks a name up, so that the file could not be opened.
  if (/[. ]$/.test(name)) return 'ends in a dot or a blank, which FAT names may not'
  return undefined
}

/** Names that give the same key are one name: FAT keeps case but does not tell it apart. */
export function caseKey(name: string): string {
  return name.toUpperCase()
}

/** The alias of one long name in its directory. */
export interface ShortName {
  /** The eleven bytes of DIR_Name, blanks as padding, the dot left out. */
  readonly bytes: Uint8Array
  /** Whether the alias says less than the name, so that long name entries are needed. */
  readonly lossy: boolean
}

/**
 * Short names for all names of one directory, in their order.
 *
 * A name that is 8.3 but for the case of its letters is its own alias and goes first, so that no made-up
 * alias (`LONGNA~1.TXT`) can take its place. The numbers count up a base at a time, in the order given.
 */
export function assignShortNames(names: readonly string[]): ShortName[] {
  const taken = new Set<string>()
  for (const name of names) {
    const upper = name.toUpperCase()
    if (splitShort(upper)) taken.add(upper)
  }
  const counters = new Map<string, number>()
  return names.map((name) => {
    const exact = splitShort(name.toUpperCase())
    if (exact) return { bytes: pad(...exact), lossy: name !== name.toUpperCase() }
    const [base, extension] = approximate(name)
    const stem = `${base}.${extension}`
    for (let number = (counters.get(stem) ?? 0) + 1; ; number++) {
      const tail = `~${number}`
      const candidate = base.slice(0, 8 - tail.length) + tail
      const text = extension === '' ? candidate : `${candidate}.${extension}`
      if (taken.has(text)) continue
      taken.add(text)
      counters.set(stem, number)
      return { bytes: pad(candidate, extension), lossy: true }
    }
  })
}

/** Base and extension of a name that is a short name as it stands. */
function splitShort(name: string): [base: string, extension: string] | undefined {
  const dot = name.lastIndexOf('.')
  const [base, extension] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)]
  if (base.length < 1 || base.length > 8 || extension.length > 3 || dot === name.length - 1) return undefined
  return SHORT.test(base) && SHORT.test(extension) ? [base, extension] : undefined
}

/**
 * The basis of a numbered alias (fatgen103, page 31): blanks and dots go, what a short name cannot have
 * becomes `_`, what stands after the last dot is the extension.
 */
function approximate(name: string): [base: string, extension: string] {
  const stripped = name.toUpperCase().replaceAll(' ', '').replace(/^\.+/, '')
  const dot = stripped.lastIndexOf('.')
  const clean = (text: string): string => text.replaceAll('.', '').replace(NOT_SHORT, '_')
  const base = clean(dot < 0 ? stripped : stripped.slice(0, dot)).slice(0, 6)
  return [base === '' ? '_' : base, dot < 0 ? '' : clean(stripped.slice(dot + 1)).slice(0, 3)]
}

function pad(base: string, extension: string): Uint8Array {
  return utf8(base.padEnd(8) + extension.padEnd(3))
}

/** LDIR_Chksum: what ties long name entries to their short entry (fatgen103, page 28). */
export function shortNameChecksum(name: Uint8Array): number {
  let sum = 0
  for (const byte of name) sum = (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff
  return sum
}
