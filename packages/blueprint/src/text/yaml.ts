import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
} from 'yaml'
import type { LocatedDocument, ValuePath } from './position.ts'
import { createPositionMap, positionAt, TextSyntaxError } from './position.ts'

/** Longer documents are no partition tables; the bounds keep hostile ones from taking time and memory. */
const MAX_LENGTH = 65_536
const MAX_DEPTH = 64
/** With those that aliases stand for. */
const MAX_VALUES = 10_000

/**
 * Parses YAML 1.2 and remembers where each key stands. Aliases and merge keys (`<<`) are followed; whole
 * numbers may be written with underscores, as in YAML 1.1. A key that stands twice is an error.
 *
 * Keys at the top whose values hold anchors and that nobody has asked for are left out: that is where
 * people keep what they refer to.
 *
 * @param known keys at the top that stay whatever they hold
 * @throws TextSyntaxError
 */
export function parseYaml(text: string, known: readonly string[]): LocatedDocument {
  const fail = (message: string, offset = 0): never => {
    throw new TextSyntaxError(message, positionAt(text, offset))
  }
  if (text.length > MAX_LENGTH) fail(`longer than ${MAX_LENGTH} characters`)
  const contents = parse(text)
  const positions = createPositionMap(text)
  const anchors = new Map<string, Node>()
  let values = 0

  /** `path` only where the value stands itself: what an alias stands for has its place elsewhere. */
  const convert = (node: unknown, path: ValuePath | undefined, depth: number): unknown => {
    if (depth > MAX_DEPTH) fail(`deeper than ${MAX_DEPTH} levels`, offsetOf(node))
    if (++values > MAX_VALUES) fail(`more than ${MAX_VALUES} values`, offsetOf(node))
    if (isAlias(node)) return convert(follow(node.source, node), undefined, depth + 1)
    const anchor = path && (node as Partial<Scalar> | null)?.anchor
    if (anchor) anchors.set(anchor, node as Node)
    if (isMap(node)) return convertMap(node.items, path, depth)
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        const here = path && [...path, index]
        if (here) positions.set(here, offsetOf(item) ?? 0)
        return convert(item, here, depth + 1)
      })
    }
    return isScalar(node) ? convertScalar(node) : null
  }

  const follow = (name: string, alias: unknown): Node =>
    anchors.get(name) ?? fail(`there is no anchor "${name}" before this alias`, offsetOf(alias))

  const convertMap = (
    items: readonly Pair<unknown, unknown>[],
    path: ValuePath | undefined,
    depth: number,
  ): Record<string, unknown> => {
    const own = new Map<string, unknown>()
    const merged: [string, unknown][] = []
    for (const { key, value } of items) {
      const name = isScalar(key) ? String(key.value) : fail('a key must be text', offsetOf(key))
      if (isScalar(key) && name === '<<' && key.type === 'PLAIN') {
        for (const source of isSeq(value) ? value.items : [value]) {
          const given = convert(source, undefined, depth + 1)
          if (typeof given !== 'object' || given === null || Array.isArray(given)) {
            fail('a merge key needs a map', offsetOf(key))
          }
          merged.push(...Object.entries(given as object))
        }
        continue
      }
      if (own.has(name)) fail(`the key ${JSON.stringify(name)} stands twice in this map`, offsetOf(key))
      const here = path && [...path, name]
      if (here) positions.set(here, offsetOf(key) ?? 0)
      const content = convert(value, here, depth + 1)
      const isStore = path?.length === 0 && !known.includes(name) && holdsAnchor(value)
      if (!isStore) own.set(name, content)
    }
    // Of two maps with one key the first counts, and what stands in the map itself before all.
    return Object.fromEntries([...merged.reverse(), ...own])
  }

  return { value: convert(contents, [], 0), positions }
}

function parse(text: string): Node | null {
  try {
    const document = parseDocument(text, { prettyErrors: false, uniqueKeys: false, logLevel: 'silent' })
    const [error] = document.errors
    if (error) throw new TextSyntaxError(error.message, positionAt(text, error.pos[0]))
    return document.contents
  } catch (error) {
    // The library goes down by calling itself.
    if (!(error instanceof RangeError)) throw error
    throw new TextSyntaxError(`deeper than ${MAX_DEPTH} levels`, { line: 1, column: 1 })
  }
}

function offsetOf(node: unknown): number | undefined {
  return (node as Partial<Node> | null)?.range?.[0]
}

/** YAML 1.1, which image-builder reads, has whole numbers with underscores; YAML 1.2 takes them for text. */
function convertScalar({ value, type }: Scalar): unknown {
  const isNumber = type === 'PLAIN' && typeof value === 'string' && /^\d+(?:_\d+)+$/.test(value)
  return isNumber ? Number(value.replaceAll('_', '')) : value
}

function holdsAnchor(node: unknown): boolean {
  if (isPair(node)) return holdsAnchor(node.key) || holdsAnchor(node.value)
  if (isScalar(node)) return node.anchor !== undefined
  if (isMap(node) || isSeq(node)) return node.anchor !== undefined || node.items.some(holdsAnchor)
  return false
}
