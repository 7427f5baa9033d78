import { type ByteSet, classEscape, complement, include, POSIX_CLASSES, ranges } from './byte-set.ts'

/**
 * A regular expression as libselinux hands it to PCRE, with `PCRE2_DOTALL` and without `PCRE2_UTF`: it works
 * on bytes. Only what a finite automaton can do is in here; whether a repetition is greedy changes what it
 * captures, never what it matches.
 */
export type Pattern = PatternNode & {
  /** The characters that it was read from: what is written alike matches alike. */
  readonly source?: string
}

type PatternNode =
  | { readonly kind: 'byte'; readonly value: number }
  | { readonly kind: 'bytes'; readonly set: ByteSet }
  | { readonly kind: 'sequence'; readonly items: readonly Pattern[] }
  | { readonly kind: 'choice'; readonly items: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly item: Pattern; readonly min: number; readonly max: number }
  /** Nothing, but only at the first or after the last byte. */
  | { readonly kind: 'start' | 'end' }

/** A pattern that PCRE refuses, or that means something only a backtracking matcher can find out. */
export class PatternError extends Error {
  /** Offset of the character at which it was noticed. */
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }

  override get name(): string {
    return 'PatternError'
  }
}

/** `MAX_REPEAT_COUNT` of PCRE2. */
const MAX_REPEAT = 65_535

/** `parens_nest_limit`, PCRE2's default. */
const MAX_DEPTH = 250

const CONTROL_ESCAPES: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 }

/** What `\` and a letter would mean to PCRE, and no automaton can do. */
const REFUSED_ESCAPES: Readonly<Record<string, string>> = {
  b: 'a word boundary',
  B: 'a word boundary',
  g: 'a back reference',
  k: 'a back reference',
  p: 'a Unicode property',
  P: 'a Unicode property',
  X: 'a Unicode property',
}

const START: Pattern = { kind: 'start', source: '^' }
const END: Pattern = { kind: 'end', source: '$' }
const EMPTY: Pattern = { kind: 'sequence', items: [] }
const ANY: Pattern = { kind: 'bytes', set: ranges('\0\xff') }
const ANYWHERE: Pattern = {
  kind: 'repeat',
  item: ANY,
  min: 0,
  max: Number.POSITIVE_INFINITY,
  source: '.*',
}
const NEWLINE: Pattern = {
  kind: 'choice',
  items: [
    { kind: 'sequence', items: [byte(13), byte(10)] },
    { kind: 'bytes', set: ranges('\n\r\x85\x85') },
  ],
}

/** PCRE lets no quantifier follow these. */
const UNREPEATABLE: ReadonlySet<Pattern> = new Set([START, END, EMPTY])

/**
 * Reads a pattern of a file_contexts line and anchors it as libselinux does, by putting `^` before and `$`
 * behind it: a `|` outside of parentheses tears them apart, and what is not anchored may stand anywhere.
 *
 * @param text ASCII
 * @throws PatternError
 */
export function parsePattern(text: string): Pattern {
  const parser = new PatternParser(text)
  const branches = parser.branches(0)
  if (parser.position < text.length) throw new PatternError('a ) without its (', parser.position)
  const last = branches.length - 1
  return choose(
    branches.map((branch, index) => {
      const items = [...(branch.kind === 'sequence' ? branch.items : [branch])]
      items.unshift(index === 0 ? START : ANYWHERE)
      items.push(index === last ? END : ANYWHERE)
      return { kind: 'sequence', items }
    }),
  )
}

/** Recursive descent over the grammar of pcre2pattern(3). */
class PatternParser {
  readonly text: string
  position = 0

  constructor(text: string) {
    this.text = text
  }

  /** The alternatives up to a closing parenthesis or the end. */
  branches(depth: number): Pattern[] {
    if (depth > MAX_DEPTH) this.fail('parentheses nested too deeply')
    const found: Pattern[] = []
    do found.push(this.sequence(depth))
    while (this.take('|'))
    return found
  }

  private sequence(depth: number): Pattern {
    const items: Pattern[] = []
    while (this.position < this.text.length && !this.at('|') && !this.at(')')) {
      if (this.take('\\Q')) {
        items.push(...this.quoted())
        continue
      }
      if (this.take('\\E')) continue
      const start = this.position
      const isGroup = this.at('(')
      const atom = this.atom(depth)
      if (!atom) continue
      const item = UNREPEATABLE.has(atom) && !isGroup ? atom : this.repeated(atom)
      items.push(item.kind === 'byte' ? item : { ...item, source: this.text.slice(start, this.position) })
    }
    return items.length === 1 ? (items[0] as Pattern) : { kind: 'sequence', items }
  }

  /** `\Q…\E`; a quantifier behind it counts for the last character. */
  private quoted(): Pattern[] {
    const end = this.text.indexOf('\\E', this.position)
    const text = this.text.slice(this.position, end < 0 ? undefined : end)
    this.position = end < 0 ? this.text.length : end + 2
    const items: Pattern[] = [...text].map((character) => byte(character.charCodeAt(0)))
    const last = items.pop()
    return last ? [...items, this.repeated(last)] : []
  }

  /** One item without its quantifier; `undefined` for a comment. */
  private atom(depth: number): Pattern | undefined {
    const offset = this.position
    const character = this.next()
    switch (character) {
      case '.':
        return ANY
      case '^':
        return START
      case '$':
        return END
      case '[':
        return this.bracket()
      case '(':
        return this.group(depth)
      case '*':
      case '+':
      case '?':
        return this.fail(`${character} has nothing to repeat`, offset)
      case '{':
        if (this.braces() !== undefined) this.fail('{ has nothing to repeat', offset)
        return byte(0x7b)
      case '\\':
        return this.escape()
      default:
        return byte(character.charCodeAt(0))
    }
  }

  private group(depth: number): Pattern | undefined {
    const offset = this.position - 1
    if (this.at('*')) this.fail('(* starts a verb of backtracking', offset)
    if (this.take('?')) {
      if (this.take('#')) {
        const end = this.text.indexOf(')', this.position)
        if (end < 0) this.fail('(?# is not closed', offset)
        this.position = end + 1
        return undefined
      }
      if (this.at('=') || this.at('!') || /^<[=!]/.test(this.text.slice(this.position, this.position + 2))) {
        this.fail('(?= and the like look around', offset)
      }
      if (this.at('>')) this.fail('(?> is an atomic group', offset)
      const name = /^(?::|\||P?<\w+>|'\w+')/.exec(this.text.slice(this.position))
      if (!name) this.fail('( with a ? that is no plain group', offset)
      this.position += (name as RegExpExecArray)[0].length
    }
    const branches = this.branches(depth + 1)
    if (!this.take(')')) this.fail('( is not closed', offset)
    return choose(branches)
  }

  private repeated(item: Pattern): Pattern {
    const offset = this.position
    const range = this.quantifier()
    if (!range) return item
    if (this.at('+')) this.fail('a possessive quantifier', offset)
    this.take('?')
    const repeat: Pattern = { kind: 'repeat', item, min: range[0], max: range[1] }
    if (/^[*+?]/.test(this.text.slice(this.position)) || this.quantifier()) {
      this.fail('two quantifiers in a row', offset)
    }
    return repeat
  }

  private quantifier(): readonly [min: number, max: number] | undefined {
    if (this.take('*')) return [0, Number.POSITIVE_INFINITY]
    if (this.take('+')) return [1, Number.POSITIVE_INFINITY]
    if (this.take('?')) return [0, 1]
    const start = this.position
    if (!this.take('{')) return undefined
    const range = this.braces()
    if (!range) this.position = start
    return range
  }

  /** What follows a `{`. It is an ordinary character where no count does. */
  private braces(): readonly [min: number, max: number] | undefined {
    const offset = this.position - 1
    const match = /^(\d*)(,?)(\d*)\}/.exec(this.text.slice(this.position))
    if (!match) return undefined
    const [all, low, comma, high] = match as unknown as [string, string, string, string]
    if (low === '' && high === '') return undefined
    if (low === '') this.fail('{,n} means different things to versions of PCRE', offset)
    this.position += all.length
    const min = Number(low)
    const max = comma === '' ? min : high === '' ? Number.POSITIVE_INFINITY : Number(high)
    if (min > MAX_REPEAT || (Number.isFinite(max) && max > MAX_REPEAT))
      this.fail('a count above 65535', offset)
    if (max < min) this.fail('a range of counts that goes down', offset)
    return [min, max]
  }

  private escape(): Pattern {
    const offset = this.position - 1
    const character = this.text[this.position] ?? this.fail('a \\ at the end', offset)
    const refused = REFUSED_ESCAPES[character]
    if (refused !== undefined) this.fail(`\\${character} is ${refused}`, offset)
    if (/[1-9]/.test(character)) this.fail(`\\${character} is a back reference`, offset)
    const set = classEscape(character)
    if (set) {
      this.position++
      return { kind: 'bytes', set }
    }
    const simple: Readonly<Record<string, Pattern>> = {
      A: START,
      C: ANY,
      G: START,
      K: EMPTY,
      N: { kind: 'bytes', set: complement(ranges('\n\n')) },
      R: NEWLINE,
      Z: END,
      z: END,
    }
    const known = simple[character]
    if (known) {
      this.position++
      return known
    }
    return byte(this.escapedByte())
  }

  /** An escape that stands for one byte. */
  private escapedByte(): number {
    const offset = this.position - 1
    const character = this.next()
    const control = CONTROL_ESCAPES[character]
    if (control !== undefined) return control
    const rest = this.text.slice(this.position)
    const number =
      character === 'x'
        ? /^(?:\{([0-9A-Fa-f]+)\}|(?!\{)([0-9A-Fa-f]{0,2}))/.exec(rest)
        : character === 'o'
          ? /^\{([0-7]+)\}/.exec(rest)
          : character === '0'
            ? /^([0-7]{0,2})/.exec(rest)
            : undefined
    if (number) {
      this.position += number[0].length
      const value = Number.parseInt(number[1] || number[2] || '0', character === 'x' ? 16 : 8)
      return value < 256 ? value : this.fail('a number above one byte', offset)
    }
    if (character === 'c' && /^[ -~]/.test(rest)) return this.next().toUpperCase().charCodeAt(0) ^ 0x40
    if (/[A-Za-z0-9]/.test(character)) this.fail(`\\${character} is unknown`, offset)
    return character.charCodeAt(0)
  }

  /** A class in brackets; its first character may be `]`. */
  private bracket(): Pattern {
    const offset = this.position - 1
    const negative = this.take('^')
    const set = new Uint8Array(256)
    for (let first = true; first || !this.at(']'); first = false) {
      if (this.position >= this.text.length) this.fail('[ is not closed', offset)
      if (this.take('\\Q') || this.take('\\E')) this.fail('\\Q in a class', offset)
      const low = this.classItem(set)
      // A - at the end is itself.
      if (!/^-[^\]]/.test(this.text.slice(this.position))) {
        if (low !== undefined) set[low] = 1
        continue
      }
      if (low === undefined) this.fail('a range that begins in a class', offset)
      this.position++
      const high = this.classItem(set)
      if (high === undefined) this.fail('a range that ends in a class', offset)
      else if (high < low) this.fail('a range that goes down', offset)
      else set.fill(1, low, high + 1)
    }
    this.position++
    return { kind: 'bytes', set: negative ? complement(set) : set }
  }

  /** One byte of a class; a whole set is added at once and answered with `undefined`. */
  private classItem(set: ByteSet): number | undefined {
    const offset = this.position
    const posix = /^\[:(\^?)(\w*):\]/.exec(this.text.slice(offset))
    if (posix) {
      const named = POSIX_CLASSES[posix[2] as string] ?? this.fail(`${posix[0]} is unknown`, offset)
      this.position += posix[0].length
      include(set, posix[1] ? complement(named) : named)
      return undefined
    }
    if (/^\[[.=]/.test(this.text.slice(offset))) this.fail('a collating element', offset)
    if (!this.take('\\')) return this.next().charCodeAt(0)
    const character = this.text[this.position] ?? this.fail('a \\ at the end', offset)
    const known = classEscape(character)
    if (known) {
      this.position++
      include(set, known)
      return undefined
    }
    if (character === 'b') {
      this.position++
      return 8
    }
    const octal = /^[0-7]{1,3}/.exec(this.text.slice(this.position))
    if (octal) {
      this.position += octal[0].length
      return Number.parseInt(octal[0], 8) & 0xff
    }
    return this.escapedByte()
  }

  private at(text: string): boolean {
    return this.text.startsWith(text, this.position)
  }

  private take(text: string): boolean {
    if (!this.at(text)) return false
    this.position += text.length
    return true
  }

  private next(): string {
    return this.text[this.position++] ?? this.fail('the pattern ends too early', this.position)
  }

  private fail(message: string, offset: number = this.position): never {
    throw new PatternError(message, offset)
  }
}

function choose(branches: readonly Pattern[]): Pattern {
  return branches.length === 1 ? (branches[0] as Pattern) : { kind: 'choice', items: branches }
}

function byte(value: number): Pattern {
  return { kind: 'byte', value }
}
