/** Bytes that a pattern accepts at one place: 256 flags. */
export type ByteSet = Uint8Array

/** Predefined sets of PCRE in the C locale, pcre2pattern(3). The capital letter is the complement. */
const CLASS_ESCAPES: Readonly<Record<string, ByteSet>> = {
  d: ranges('09'),
  h: ranges('\t\t  \xa0\xa0'),
  s: ranges('\t\r  '),
  v: ranges('\n\r\x85\x85'),
  w: ranges('09AZ__az'),
}

/** The names between `[:` and `:]`. */
export const POSIX_CLASSES: Readonly<Record<string, ByteSet>> = {
  alnum: ranges('09AZaz'),
  alpha: ranges('AZaz'),
  ascii: ranges('\0\x7f'),
  blank: ranges('\t\t  '),
  cntrl: ranges('\0\x1f\x7f\x7f'),
  digit: ranges('09'),
  graph: ranges('!~'),
  lower: ranges('az'),
  print: ranges(' ~'),
  punct: ranges('!/:@[`{~'),
  space: ranges('\t\r  '),
  upper: ranges('AZ'),
  word: ranges('09AZ__az'),
  xdigit: ranges('09AFaf'),
}

/** `\d` and its like by the letter; `undefined` for others. */
export function classEscape(letter: string): ByteSet | undefined {
  const set = CLASS_ESCAPES[letter.toLowerCase()]
  return set && letter !== letter.toLowerCase() ? complement(set) : set
}

/** A set from pairs of first and last characters. */
export function ranges(pairs: string): ByteSet {
  const set = new Uint8Array(256)
  for (let index = 0; index < pairs.length; index += 2) {
    set.fill(1, pairs.charCodeAt(index), pairs.charCodeAt(index + 1) + 1)
  }
  return set
}

/** All other bytes. */
export function complement(set: ByteSet): ByteSet {
  return set.map((flag) => 1 - flag)
}

/** Adds another set to a set. */
export function include(set: ByteSet, other: ByteSet): void {
  for (let value = 0; value < 256; value++) if (other[value]) set[value] = 1
}
