import { decodeUtf8, FormatError, toHex } from '@bootable/bytes'
import { checkLimit, type LayerLimits } from './limits.ts'

/** Where in an archive a name was met; for errors. */
export interface MemberPlace {
  /** Number of the member, from 0. */
  readonly index: number
  /** Offset of its header. */
  readonly offset: number
}

/**
 * A name as text.
 * @throws FormatError on a NUL, or bytes that are not UTF-8: no tree and no ostree commit can hold them;
 *   BootableError `LIMIT_EXCEEDED`
 */
export function decodeName(
  bytes: Uint8Array,
  what: string,
  place: MemberPlace,
  limits: Required<LayerLimits>,
): string {
  checkLimit(`member ${place.index}: the ${what}`, bytes.length, 'pathLength', limits.pathLength)
  const text = decodeUtf8(bytes)
  if (text === undefined) {
    throw invalidName(what, place, `the bytes ${toHex(bytes.subarray(0, 64))} are not UTF-8`)
  }
  if (text.includes('\0')) throw invalidName(what, place, `${JSON.stringify(text)} holds a NUL`)
  return text
}

/**
 * A path below the root of the archive: leading `/` and `./`, doubled and trailing slashes left out.
 *
 * Nothing here ever becomes a path of the host, and still `..` is refused rather than resolved: no writer
 * of layers has a reason to put it there, and readers disagree about it.
 * @throws FormatError on `..`; BootableError `LIMIT_EXCEEDED`
 */
export function normalisePath(
  text: string,
  what: string,
  place: MemberPlace,
  limits: Required<LayerLimits>,
): string {
  // Most paths are clean already: nothing to cut but the slash that marks a directory.
  const path = text.endsWith('/') ? text.slice(0, -1) : text
  const clean = isClean(path) ? path : cleanPath(path, what, place)
  let depth = 1
  for (let at = clean.indexOf('/'); at >= 0; at = clean.indexOf('/', at + 1)) depth++
  checkLimit(`member ${place.index}: names in the ${what}`, depth, 'depth', limits.depth)
  return clean
}

function isClean(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !/(?:^|\/)\.{0,2}(?:\/|$)/.test(path)
}

function cleanPath(path: string, what: string, place: MemberPlace): string {
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  if (names.includes('..')) throw invalidName(what, place, `${JSON.stringify(path)} leads out with ..`)
  return names.join('/')
}

function invalidName(what: string, { index, offset }: MemberPlace, message: string): FormatError {
  return new FormatError(
    'FORMAT_INVALID',
    { format: 'tar', structure: `member ${index}, ${what}`, offset },
    message,
  )
}
