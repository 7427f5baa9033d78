import { utf8 } from '@bootable/bytes'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Automaton, AutomatonLimitError } from '../../src/selinux/automaton.ts'
import { PatternError, parsePattern } from '../../src/selinux/pattern.ts'

function matches(regex: string, text: string | Uint8Array): boolean {
  const bytes = typeof text === 'string' ? utf8(text) : text
  return new Automaton([[0, parsePattern(regex)]]).match(bytes).length > 0
}

describe('what a regex matches', () => {
  test.each([
    ['/a', ['/a', '/a\n'], ['/', '/ab', 'x/a', '/a\n\n']],
    ['/.*', ['/', '/a\nb', '/é'], ['', 'a']],
    ['/a(/.*)?', ['/a', '/a/', '/a/b/c'], ['/ab']],
    ['/[^/]+/x', ['/a/x', '/]/x'], ['//x', '/a/b/x']],
    ['/[]a-c]', ['/]', '/b'], ['/d', '/-']],
    ['/[a-]', ['/a', '/-'], ['/b']],
    ['/[^]x]', ['/a'], ['/]', '/x']],
    ['/[[:digit:]a]', ['/7', '/a'], ['/b', '/:']],
    ['/[[:^digit:]]', ['/b'], ['/7']],
    ['/[\\d.\\-]', ['/7', '/.', '/-'], ['/a', '/\\']],
    ['/[A-\\]]', ['/B', '/]'], ['/a']],
    ['/a{2,3}', ['/aa', '/aaa'], ['/a', '/aaaa']],
    ['/a{2}b{0,1}c{1,}', ['/aac', '/aabccc'], ['/aab', '/abc']],
    ['/a{b}{,x', ['/a{b}{,x'], ['/ab']],
    ['/a{0}', ['/'], ['/a']],
    ['/a(|b)+', ['/a', '/abb'], ['/b']],
    ['/a(?:b|c)*?d', ['/ad', '/abcbd'], ['/a']],
    ['/(?<name>a)(?P<other>b)(?#note)c', ['/abc'], ['/ab']],
    ["/(?'name'a)", ['/a'], ['/']],
    ['/\\Qa.b\\E+', ['/a.b', '/a.bb'], ['/axb']],
    ['/\\x61\\x{62}\\o{143}\\0144', ['/abc\x0c4'], ['/abc']],
    ['/\\t\\n\\r\\f\\e\\a\\cA', ['/\t\n\r\f\x1b\x07\x01'], ['/tnrfea']],
    ['/\\<a\\>\\_\\-\\,', ['/<a>_-,'], ['/a']],
    ['/a\\Rb', ['/a\r\nb', '/a\nb'], ['/ab', '/a\r\n\nb']],
    ['^/a$', ['/a'], ['/aa']],
    ['\\A/a\\z', ['/a'], ['/b']],
    ['/a(b^|$)', ['/a'], ['/ab']],
    ['/w\\w\\W\\s\\S', ['/wa- x'], ['/waa x']],
  ])('%s', (regex, yes, no) => {
    expect(yes.filter((text) => !matches(regex, text))).toEqual([])
    expect(no.filter((text) => matches(regex, text))).toEqual([])
  })

  test('a | outside of parentheses tears the anchors apart', () => {
    expect(['/a', '/ax', '/x/b', 'x/b'].filter((text) => !matches('/a|/b', text))).toEqual([])
    expect(['x/a', '/bx'].filter((text) => matches('/a|/b', text))).toEqual([])
    expect(matches('/a|/m|/b', 'x/mx')).toBe(true)
  })

  test('bytes, not characters', () => {
    expect(matches('/.', '/é')).toBe(false)
    expect(matches('/..', '/é')).toBe(true)
    expect(matches('/.', Uint8Array.of(0x2f, 0xff))).toBe(true)
    expect(matches('/\\s', Uint8Array.of(0x2f, 0xa0))).toBe(false)
  })

  test('escaped punctuation is itself, whatever it is', () => {
    const printable = fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
    })
    fc.assert(
      fc.property(printable, printable, (text, other) => {
        const regex = text.replace(/[^A-Za-z0-9]/g, '\\$&')
        expect(matches(regex, text)).toBe(true)
        expect(matches(regex, other)).toBe(text === other)
      }),
    )
  })

  test('is what JavaScript says, where both speak the same language', () => {
    const leaf = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\.', '\\d', '(?:)')
    const regex = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        leaf,
        fc.tuple(tie('node'), tie('node')).map(([a, b]) => a + b),
        fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(${a}|${b})`),
        fc
          .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '*?'))
          .map(([a, b]) => `(${a})${b}`),
      ),
    })).node
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '1'), maxLength: 6 })
    fc.assert(
      fc.property(regex, fc.array(text, { maxLength: 8 }), (source, texts) => {
        const javascript = new RegExp(`^(?:${source})$`, 's')
        const automaton = new Automaton([[0, parsePattern(`(?:${source})`)]])
        for (const sample of texts)
          expect(automaton.match(utf8(sample)).length > 0).toBe(javascript.test(sample))
      }),
      { numRuns: 300 },
    )
  })
})

describe('what is refused', () => {
  test.each([
    ['/a(?!b)', 'look around', 2],
    ['/a(?<=b)', 'look around', 2],
    ['/a(?>b)', 'atomic', 2],
    ['/a*+', 'possessive', 2],
    ['/a{1,2}+', 'possessive', 2],
    ['/(a)\\1', 'back reference', 4],
    ['/\\k<a>', 'back reference', 1],
    ['/(?i)a', 'no plain group', 1],
    ['/(*FAIL)', 'verb', 1],
    ['/a\\b', 'word boundary', 2],
    ['/\\pL', 'Unicode', 1],
    ['/(a', 'not closed', 1],
    ['/a)', 'without its', 2],
    ['/[a', 'not closed', 1],
    ['/[]', 'not closed', 1],
    ['/[b-a]', 'goes down', 1],
    ['/[a-\\d]', 'ends in a class', 1],
    ['/[[:alhpa:]]', 'unknown', 2],
    ['/[[.a.]]', 'collating', 2],
    ['*a', 'nothing to repeat', 0],
    ['/(+)', 'nothing to repeat', 2],
    ['/a**', 'two quantifiers', 2],
    ['/a{2}{3}', 'two quantifiers', 2],
    ['/^*', 'nothing to repeat', 2],
    ['/[\\d-z]', 'begins in a class', 1],
    ['/\\x{}', 'unknown', 1],
    ['/a{3,2}', 'goes down', 2],
    ['/a{65536}', '65535', 2],
    ['/a{,2}', 'versions of PCRE', 2],
    ['/a\\', 'at the end', 2],
    ['/\\x{100}', 'one byte', 1],
    ['/\\i', 'unknown', 1],
    ['('.repeat(300), 'nested', -1],
  ])('%s', (regex, message, offset) => {
    let error: unknown
    try {
      parsePattern(regex)
    } catch (caught) {
      error = caught
    }
    expect(error).toBeInstanceOf(PatternError)
    expect((error as PatternError).message).toContain(message)
    if (offset >= 0) expect((error as PatternError).offset).toBe(offset)
  })

  test('any text parses, or is refused by a PatternError', () => {
    const noise = fc.string({
      unit: fc.constantFrom(...'()[]{}|*+?^$.\\/a1-:,<>=!#QEdx'.split('')),
      maxLength: 24,
    })
    fc.assert(
      fc.property(noise, (regex) => {
        try {
          new Automaton([[0, parsePattern(regex)]]).match(utf8('/a'))
        } catch (error) {
          if (!(error instanceof PatternError || error instanceof AutomatonLimitError)) throw error
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('bounds', () => {
  test('counts within counts are refused before they fill the memory', () => {
    expect(() => matches('/(((a{1000}){1000}){1000}){1000}', '/a')).toThrow(AutomatonLimitError)
  })

  test('the dots of a name cost no exponential time', () => {
    const regex = '/usr/(local/)?.*\\.so(\\.[^/]*)*'
    expect(matches(regex, `/usr/lib/x.so${'.1'.repeat(2000)}`)).toBe(true)
    expect(matches(regex, `/usr/lib/x.so${'.1'.repeat(2000)}/`)).toBe(false)
  })

  test('thousands of places that are reached from each other are visited once for a byte', () => {
    const regex = '/(a?){20000}'
    expect(matches(regex, `/${'a'.repeat(10)}`)).toBe(true)
    expect(matches(regex, '/aaab')).toBe(false)
  })

  test('configurations are forgotten, and made again', () => {
    const regex = `/(a|b)*a${'(a|b)'.repeat(16)}`
    const automaton = new Automaton([[0, parsePattern(regex)]], 1000)
    const simple = new RegExp(`^${regex}$`)
    let state = 1
    const bits = Array.from({ length: 4000 }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return state & 0x10000 ? 'a' : 'b'
    }).join('')
    for (let from = 0; from < 4000; from += 20) {
      const text = `/${bits.slice(from, from + 20)}`
      expect(automaton.match(utf8(text)).length > 0).toBe(simple.test(text))
    }
    expect(automaton.match(utf8(`/${bits}`)).length > 0).toBe(bits.at(-17) === 'a')
  })
})
