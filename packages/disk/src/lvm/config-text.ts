import { lvmFormatError } from './errors.ts'

/** A value of LVM's configuration text. */
export type ConfigValue = string | number | readonly ConfigValue[]

/** A section: values and sections by name, in the order of the text. */
export type ConfigSection = ReadonlyMap<string, ConfigValue | ConfigSection>

/** Sections in sections; LVM's own metadata has five. */
const MAX_DEPTH = 16

/** One token: blanks and comments, then what the groups name. No part can match in two ways. */
const TOKEN =
  /(?:[ \t\r\n]|#[^\n]*(?:\n|$))*(?:(?<text>"[^"\\]*(?:\\.[^"\\]*)*")|(?<mark>[{}[\]=,])|(?<word>[^\s{}[\]=,"#]+)|(?<end>$))/sy

interface Token {
  readonly kind: 'text' | 'mark' | 'word' | 'end'
  readonly value: string
  /** Characters from the start of the text. */
  readonly offset: number
}

/**
 * Parses LVM's configuration text (lvm.conf(5), "SYNTAX"): `name = value`, `name { … }`, strings, numbers,
 * lists and comments. Metadata uses no more of the grammar.
 *
 * @throws FormatError
 */
export function parseConfigText(text: string): ConfigSection {
  const tokens = createTokens(text)

  function section(depth: number, isEnd: (token: Token) => boolean): ConfigSection {
    const entries = new Map<string, ConfigValue | ConfigSection>()
    for (let name = tokens.next(); !isEnd(name); name = tokens.next()) {
      if (name.kind !== 'word') throw unexpected(name, 'a name')
      if (entries.has(name.value)) throw unexpected(name, 'a name that is not there yet')
      const mark = tokens.next()
      if (mark.kind === 'mark' && mark.value === '{') {
        if (depth === MAX_DEPTH) throw unexpected(mark, `at most ${MAX_DEPTH} sections in each other`)
        entries.set(
          name.value,
          section(depth + 1, (token) => token.kind === 'mark' && token.value === '}'),
        )
      } else if (mark.kind === 'mark' && mark.value === '=') entries.set(name.value, value())
      else throw unexpected(mark, '"{" or "="')
    }
    return entries
  }

  function value(): ConfigValue {
    const token = tokens.next()
    return token.kind === 'mark' && token.value === '[' ? list() : scalar(token)
  }

  function list(): ConfigValue[] {
    const values: ConfigValue[] = []
    for (let token = tokens.next(); ; token = tokens.next()) {
      if (token.kind === 'mark' && token.value === ']') return values
      values.push(scalar(token))
      const after = tokens.next()
      if (after.kind === 'mark' && after.value === ']') return values
      if (after.kind !== 'mark' || after.value !== ',') throw unexpected(after, '"," or "]"')
    }
  }

  return section(0, (token) => token.kind === 'end')
}

function scalar(token: Token): ConfigValue {
  if (token.kind === 'text') return token.value
  const number = Number(token.value)
  const isNumber = token.kind === 'word' && /^[+-]?\d+(\.\d*)?$/.test(token.value)
  if (!isNumber || Math.abs(number) > Number.MAX_SAFE_INTEGER) throw unexpected(token, 'a value')
  return number
}

function createTokens(text: string): { next(): Token } {
  const pattern = new RegExp(TOKEN)
  return {
    next() {
      const offset = pattern.lastIndex
      const groups = pattern.exec(text)?.groups
      if (!groups)
        throw unexpected({ kind: 'end', value: text.slice(offset, offset + 20), offset }, 'a token')
      const { text: quoted, mark, word } = groups
      if (quoted !== undefined) {
        return { kind: 'text', value: quoted.slice(1, -1).replace(/\\(.)/gs, '$1'), offset }
      }
      if (mark !== undefined) return { kind: 'mark', value: mark, offset }
      return word === undefined ? { kind: 'end', value: '', offset } : { kind: 'word', value: word, offset }
    },
  }
}

function unexpected({ kind, value, offset }: Token, expected: string): Error {
  const found = kind === 'end' && value === '' ? 'the end' : JSON.stringify(value.slice(0, 40))
  return lvmFormatError('FORMAT_INVALID', `metadata text, character ${offset}`, `${expected}, not ${found}`)
}
