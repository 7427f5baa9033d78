import { BootableError } from '@bootable/bytes'
import type { Device, Inode } from '@bootable/tree'
import { typeBits } from '@bootable/tree'
import type { SystemErrorCode } from '../errors.ts'

/** What a label depends on besides the path: the type of the inode. */
export type InodeType = Pick<Exclude<Inode, Device>, 'type'> | Pick<Device, 'type' | 'kind'>

/** One line of file_contexts(5). */
export interface FileContext {
  /** As it stands in the file, without the anchors that libselinux adds. */
  readonly regex: string
  /** The path itself, where the regex has no operator. */
  readonly literal?: string
  /** `S_IFMT` bits of the only type that it is for, 0 for all. */
  readonly format: number
  /** `undefined` for `<<none>>`: the path gets no label. */
  readonly context: string | undefined
  /** File and line, for messages. */
  readonly place: string
}

/** An alias of a path, file_contexts.subs_dist(5). */
export interface PathSubstitution {
  readonly from: string
  readonly to: string
}

/** The second field of three: `string_to_mode` of libselinux. */
const FORMATS: Readonly<Record<string, number>> = {
  '--': 0o100000,
  '-b': 0o060000,
  '-c': 0o020000,
  '-d': 0o040000,
  '-l': 0o120000,
  '-p': 0o010000,
  '-s': 0o140000,
}

/** The longest regex that libselinux compiles, since 3.8. */
const MAX_REGEX = 4095

/** Blanks of C's isspace(3). */
const BLANKS = /[\t-\r ]+/

/**
 * The lines of a file of contexts, in their order.
 * @throws BootableError `CONFIGURATION_INVALID` where libselinux would not load the file
 */
export function parseFileContexts(text: string, path: string): FileContext[] {
  return text.split('\n').flatMap((line, index) => {
    const fields = line.split(BLANKS).filter((field) => field !== '')
    if (fields.length === 0 || fields[0]?.startsWith('#')) return []
    return [parseLine(fields, `/${path}:${index + 1}`)]
  })
}

function parseLine(fields: readonly string[], place: string): FileContext {
  const [regex = '', ...rest] = fields.slice(0, 3)
  const context = rest.at(-1) ?? invalid(place, `${regex} has no context`)
  const type = rest.length === 2 ? rest[0] : undefined
  const format = type === undefined ? 0 : (FORMATS[type] ?? invalid(place, `${type} is no type of a file`))
  const foreign = [regex, context].find((field) => [...field].some((character) => character > '\x7f'))
  if (foreign !== undefined) invalid(place, `${foreign} is not ASCII`)
  if (regex.length > MAX_REGEX) invalid(place, `the regex is longer than ${MAX_REGEX} characters`)
  const literal = literalPath(regex)
  return {
    regex,
    ...(literal !== undefined && { literal }),
    format,
    context: context === '<<none>>' ? undefined : context,
    place,
  }
}

/**
 * The path that a regex without operators stands for. Only these characters may be escaped in one: `\d`
 * is no letter.
 */
function literalPath(regex: string): string | undefined {
  if (!/^(?:[^\\.^$?*+|[\](){}]|\\[.^$?*+|[\](){}\-_,])*$/.test(regex)) return undefined
  return regex.replace(/\\(.)/g, '$1')
}

/** The aliases of a file, the longest first: the order in which they are tried. */
export function parseSubstitutions(text: string): PathSubstitution[] {
  return text
    .split('\n')
    .map((line) => line.split(BLANKS).filter((field) => field !== ''))
    .flatMap(([from, to]) =>
      from === undefined || to === undefined || from.startsWith('#') ? [] : [{ from, to }],
    )
    .sort((a, b) => b.from.length - a.from.length)
}

/** The path with its first alias replaced. An alias ends where a name ends. */
export function substitutePath(path: string, substitutions: readonly PathSubstitution[]): string {
  const found = substitutions.find(
    ({ from }) => path.startsWith(from) && (path.length === from.length || path[from.length] === '/'),
  )
  if (!found) return path
  const rest = path.slice(found.from.length)
  return found.to === '/' && rest !== '' ? rest : `${found.to}${rest}`
}

/** `S_IFMT` bits of a type. */
export function formatOf(inode: InodeType): number {
  return typeBits(inode as Inode)
}

function invalid(place: string, message: string): never {
  throw new BootableError<SystemErrorCode>('CONFIGURATION_INVALID', `${place}: ${message}`, {
    details: { place },
    hint: 'libselinux would not read this policy either',
  })
}
