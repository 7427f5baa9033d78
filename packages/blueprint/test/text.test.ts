import fc from 'fast-check'
import { stringify } from 'smol-toml'
import { describe, expect, it } from 'vitest'
import { loadBlueprint } from '../src/index.ts'
import { parseJson } from '../src/text/json.ts'
import type { LocatedDocument, ValuePath } from '../src/text/position.ts'
import { TextSyntaxError } from '../src/text/position.ts'
import { parseToml } from '../src/text/toml.ts'

function place({ positions }: LocatedDocument, path: ValuePath): string {
  const { line, column } = positions.find(path)
  return `${line}:${column}`
}

describe('JSON', () => {
  it('gives what JSON.parse gives', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), fc.nat(4), (text, indent) => {
        const spaced = JSON.stringify(JSON.parse(text), null, indent)
        expect(parseJson(spaced).value).toEqual(JSON.parse(spaced))
      }),
    )
  })

  it('accepts exactly what JSON.parse accepts, names that stand twice apart', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '1',
      '-',
      '01',
      '.5',
      'true',
      'nul',
      ' ',
      '\\',
      '"',
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 8 }), (parts) => {
        const text = parts.join('')
        let ours: string | undefined
        try {
          parseJson(text)
        } catch (error) {
          expect(error).toBeInstanceOf(TextSyntaxError)
          ours = (error as Error).message
        }
        if (ours?.includes('twice')) return
        let theirs = true
        try {
          JSON.parse(text)
        } catch {
          theirs = false
        }
        expect([text, ours === undefined]).toEqual([text, theirs])
      }),
      { numRuns: 3000 },
    )
  })

  it('knows where values stand', () => {
    const document = parseJson('{\n  "a": [1, {"b":\n    2}]\n}')
    expect(place(document, ['a'])).toBe('2:3')
    expect(place(document, ['a', 1])).toBe('2:12')
    expect(place(document, ['a', 1, 'b'])).toBe('2:13')
    expect(place(document, ['a', 1, 'missing'])).toBe('2:12')
    expect(place(document, ['missing'])).toBe('1:1')
  })

  it.each([
    ['{"a": 1,}', '1:9'],
    ['{"a" 1}', '1:6'],
    ['[1\n 2]', '2:2'],
    ['{"a": 1, "a": 2}', '1:10'],
    ['', '1:1'],
    ['1 1', '1:3'],
    ["{'a': 1}", '1:2'],
  ])('points at the mistake in %j', (text, expected) => {
    try {
      parseJson(text)
      expect.unreachable()
    } catch (error) {
      const { line, column } = (error as TextSyntaxError).position
      expect(`${line}:${column}`).toBe(expected)
    }
  })

  it('ends on a document that only opens', () => {
    expect(() => parseJson('['.repeat(100_000))).toThrow(/deeper than 64/)
    expect(Object.keys(parseJson('{"__proto__": 1}').value as object)).toEqual(['__proto__'])
  })
})

describe('TOML', () => {
  it('knows where keys stand', () => {
    const document = parseToml(`# comment with [brackets] = "
top = 1
dotted . "quoted \\u0041" = """
not.a.key = 1
"""
[table.'literal']
list = [ 1, # one ]
  { x = [ "]" , '}' ], y = 2 },
]
[[array]]
name = "first" # [[array]]
[array.sub]
a = 1979-05-27T07:32:00Z
[[array]]
name = 'second'
[[array.inner]]
b = '''x''''
[[array.inner]]
c.d = -1.5e3
`)
    const places = {
      top: ['top'],
      dotted: ['dotted'],
      quoted: ['dotted', 'quoted A'],
      literal: ['table', 'literal'],
      list: ['table', 'literal', 'list'],
      'list[1]': ['table', 'literal', 'list', 1],
      'list[1].y': ['table', 'literal', 'list', 1, 'y'],
      'list[1].x[1]': ['table', 'literal', 'list', 1, 'x', 1],
      'array[0]': ['array', 0],
      'array[0].name': ['array', 0, 'name'],
      'array[0].sub.a': ['array', 0, 'sub', 'a'],
      'array[1].name': ['array', 1, 'name'],
      'array[1].inner[0].b': ['array', 1, 'inner', 0, 'b'],
      'array[1].inner[1].c.d': ['array', 1, 'inner', 1, 'c', 'd'],
    }
    const found = Object.entries(places).map(([name, path]) => `${name} ${place(document, path)}`)
    expect(found).toEqual([
      'top 2:1',
      'dotted 3:1',
      'quoted 3:10',
      'literal 6:8',
      'list 7:1',
      'list[1] 8:3',
      'list[1].y 8:24',
      'list[1].x[1] 8:17',
      'array[0] 10:1',
      'array[0].name 11:1',
      'array[0].sub.a 13:1',
      'array[1].name 15:1',
      'array[1].inner[0].b 17:1',
      'array[1].inner[1].c.d 19:3',
    ])
  })

  it('finds every key of any document', () => {
    const key = fc.constantFrom('a', 'b', 'key-1', 'with blank', '"', '.')
    const scalar = fc.oneof(
      fc.constantFrom('x', '#', ']', '}', '"""', "'", '\n', '='),
      fc.integer(),
      fc.boolean(),
    )
    const { tree } = fc.letrec((tie) => ({
      tree: fc.dictionary(key, tie('value'), { maxKeys: 4 }),
      value: fc.oneof(
        { maxDepth: 2 },
        scalar,
        tie('tree'),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.array(scalar, { maxLength: 3 }),
      ),
    }))
    fc.assert(
      fc.property(tree, (value) => {
        const text = stringify(value)
        const document = parseToml(text)
        for (const path of keyPaths(document.value)) {
          const { line, column } = document.positions.find(path)
          const rest = text.split('\n')[line - 1]?.slice(column - 1) ?? ''
          const name = path[path.length - 1] as string
          expect(
            rest.startsWith(name) || rest.startsWith(JSON.stringify(name)) || rest.startsWith(`'${name}'`),
          ).toBe(true)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('passes on line and column of a syntax error', () => {
    try {
      parseToml('a = 1\nb = = 2\n')
      expect.unreachable()
    } catch (error) {
      expect((error as TextSyntaxError).position.line).toBe(2)
      expect((error as TextSyntaxError).message).not.toContain('\n')
    }
    expect(() => parseToml('__proto__.x = 1')).toThrow(TextSyntaxError)
  })
})

/** The paths of all keys, without array items. */
function* keyPaths(value: unknown, path: ValuePath = []): Generator<ValuePath> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, child] of Object.entries(value)) {
    const here = [...path, Array.isArray(value) ? Number(key) : key]
    if (!Array.isArray(value)) yield here
    yield* keyPaths(child, here)
  }
}

it('is quick about many mistakes, and about many lines', () => {
  const text = Array.from({ length: 30_000 }, (_, index) => `k${index} = 1\n`).join('')
  const started = performance.now()
  expect(() => loadBlueprint(text, { format: 'toml' })).toThrow('30000 mistakes in blueprint')
  // A second when nothing else runs; counting the lines anew for each mistake takes a minute.
  expect(performance.now() - started).toBeLessThan(15_000)
})
