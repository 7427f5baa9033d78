import type { LocatedDocument } from './position.ts'
import { createPositionMap, positionAt, TextSyntaxError } from './position.ts'

const BLANKS = /[ \t\r\n]*/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259, 7 asks for them to be escaped
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const WORD = /true|false|null/y

/** Deeper documents are no blueprints; the bound keeps the parser off the end of the stack. */
const MAX_DEPTH = 64

/**
 * Parses JSON (RFC 8259) and remembers where each value stands, which `JSON.parse` does not tell.
 * Names of an object point at the name, items of an array at the item. A name that stands twice is an
 * error: readers disagree on which one counts.
 *
 * @throws TextSyntaxError
 */
export function parseJson(text: string): LocatedDocument {
  const positions = createPositionMap(text)
  let offset = 0

  const fail = (message: string): never => {
    throw new TextSyntaxError(message, positionAt(text, offset))
  }
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = offset
    const match = pattern.exec(text)?.[0]
    if (match !== undefined) offset += match.length
    return match
  }
  const skip = (character: string): boolean => {
    take(BLANKS)
    if (text[offset] !== character) return false
    offset++
    return true
  }
  const found = (): string => (offset < text.length ? JSON.stringify(text[offset]) : 'the end')

  const parseValue = (path: (string | number)[]): unknown => {
    if (path.length > MAX_DEPTH) fail(`deeper than ${MAX_DEPTH} levels`)
    if (skip('{')) return parseObject(path)
    if (skip('[')) return parseArray(path)
    const token = take(STRING) ?? take(NUMBER) ?? take(WORD)
    return token === undefined ? fail(`a value is expected, this is ${found()}`) : JSON.parse(token)
  }

  const parseObject = (path: (string | number)[]): Record<string, unknown> => {
    const object: [string, unknown][] = []
    const names = new Set<string>()
    while (!skip('}')) {
      if (object.length > 0 && !skip(',')) fail(`"," or "}" is expected, this is ${found()}`)
      take(BLANKS)
      const start = offset
      const token = take(STRING)
      const name: string =
        token === undefined ? fail(`a name in quotes is expected, this is ${found()}`) : JSON.parse(token)
      if (names.has(name)) {
        offset = start
        fail(`the name ${JSON.stringify(name)} stands twice in this object`)
      }
      names.add(name)
      positions.set([...path, name], start)
      if (!skip(':')) fail(`":" is expected, this is ${found()}`)
      object.push([name, parseValue([...path, name])])
    }
    // Object.fromEntries defines properties, so that "__proto__" is a name like any other.
    return Object.fromEntries(object)
  }

  const parseArray = (path: (string | number)[]): unknown[] => {
    const array: unknown[] = []
    while (!skip(']')) {
      if (array.length > 0 && !skip(',')) fail(`"," or "]" is expected, this is ${found()}`)
      take(BLANKS)
      positions.set([...path, array.length], offset)
      array.push(parseValue([...path, array.length]))
    }
    return array
  }

  const value = parseValue([])
  take(BLANKS)
  if (offset < text.length) fail(`the document has ended, this is ${found()}`)
  return { value, positions }
}
