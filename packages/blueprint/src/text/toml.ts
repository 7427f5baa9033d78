import { parse, TomlError } from 'smol-toml'
import type { LocatedDocument, PositionMap } from './position.ts'
import { createPositionMap, TextSyntaxError } from './position.ts'

/**
 * Parses TOML 1.0 and remembers where each key stands.
 * @throws TextSyntaxError
 */
export function parseToml(text: string): LocatedDocument {
  let value: unknown
  try {
    value = parse(text, { maxDepth: 64, unsafeKeyBehaviour: 'throw' })
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // The rest of the parser's message is a picture of the line.
    const message = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '')
    throw new TextSyntaxError(message, { line: error.line, column: error.column })
  }
  const positions = createPositionMap(text)
  scanToml(text, positions)
  return { value, positions }
}

const KEY = /[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y
const DOT = /[ \t]*\.[ \t]*/y
const BLANK = /(?:[ \t\r\n]|#[^\n]*)*/y
const TEXT = /"""(?:[^\\]|\\.)*?"""+|'''.*?'''+|"(?:[^"\\]|\\.)*"|'[^']*'/sy
const BARE = /[^,\]}#\n]*/y

/** Walks over a document that is known to be valid and notes the offset of every key and item. */
function scanToml(text: string, positions: PositionMap): void {
  let offset = 0
  /** Number of tables so far of each array of tables, by its path. */
  const counts = new Map<string, number>()

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = offset
    const match = pattern.exec(text)?.[0]
    if (match !== undefined) offset += match.length
    return match
  }
  const skip = (token: string): boolean => {
    take(BLANK)
    if (!text.startsWith(token, offset)) return false
    offset += token.length
    return true
  }

  /** Ends the scan where a step finds nothing: positions get coarse, but no document can hang us. */
  const advance = (step: () => void): void => {
    const start = offset
    step()
    if (offset === start) offset = text.length
  }

  /** Reads a dotted key below `base`; a name of an array of tables stands for its newest table. */
  const scanKey = (base: (string | number)[]): (string | number)[] => {
    const path = [...base]
    do {
      take(BLANK)
      const start = offset
      const token = take(KEY) ?? ''
      path.push(unquote(token))
      positions.set(path, start)
      const count = counts.get(JSON.stringify(path))
      if (count !== undefined) path.push(count - 1)
    } while (take(DOT) !== undefined)
    return path
  }

  const scanValue = (path: (string | number)[]): void => {
    if (skip('[')) {
      for (let index = 0; !skip(']') && offset < text.length; index++) {
        take(BLANK)
        positions.set([...path, index], offset)
        advance(() => {
          scanValue([...path, index])
          skip(',')
        })
      }
    } else if (skip('{')) {
      while (!skip('}') && offset < text.length) {
        advance(() => {
          scanAssignment(path)
          skip(',')
        })
      }
    } else if (take(TEXT) === undefined) take(BARE)
  }

  const scanAssignment = (table: (string | number)[]): void => {
    const path = scanKey(table)
    skip('=')
    scanValue(path)
  }

  let table: (string | number)[] = []
  const scanLine = (): void => {
    const start = offset
    if (skip('[[')) {
      const path = scanKey([])
      // scanKey has followed the array to its newest table, if it had one already.
      if (typeof path[path.length - 1] === 'number') path.pop()
      const key = JSON.stringify(path)
      const index = counts.get(key) ?? 0
      counts.set(key, index + 1)
      table = [...path, index]
      positions.set(table, start)
      skip(']]')
    } else if (skip('[')) {
      table = scanKey([])
      skip(']')
    } else scanAssignment(table)
  }
  for (take(BLANK); offset < text.length; take(BLANK)) advance(scanLine)
}

function unquote(token: string): string {
  if (token.startsWith("'")) return token.slice(1, -1)
  if (!token.startsWith('"')) return token
  // The parser of the library knows the escapes of TOML, which JSON does not.
  return Object.keys(parse(`${token} = 0`))[0] ?? ''
}
