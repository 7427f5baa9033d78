import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseColonFile } from '../../src/accounts/colon-file.ts'
import { nextFreeId, nextFreeRange } from '../../src/accounts/ids.ts'
import { parseAccountSettings } from '../../src/accounts/settings.ts'

describe('files of colons', () => {
  it('keep what they do not understand', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-c:#+ -]{0,6}$/), { minLength: 1 }), (lines) => {
        const text = lines.map((line) => `${line}\n`).join('')
        expect(parseColonFile(text, 3).text()).toBe(text)
      }),
    )
  })

  it('put new lines in front of compat lines, and close an open last line', () => {
    const file = parseColonFile('a:1:\n+::\n-x::', 3)
    file.add(['b', '2', ''])
    file.set(['a', '9', ''])
    expect(file.text()).toBe('a:9:\nb:2:\n+::\n-x::\n')
    expect(file.entries().map(([name]) => name)).toEqual(['a', 'b'])
  })

  it('know whether they changed', () => {
    const file = parseColonFile('a:1:\n', 3)
    file.set(['a', '1', ''])
    expect(file.changed).toBe(false)
    file.set(['a', '2', ''])
    expect(file.changed).toBe(true)
  })
})

describe('free ids', () => {
  it('are above the highest, then the lowest hole', () => {
    expect(nextFreeId(new Set([1, 1005, 70000]), 1000, 60000)).toBe(1006)
    expect(nextFreeId(new Set(), 1000, 60000)).toBe(1000)
    expect(nextFreeId(new Set([1000, 1003]), 1000, 1003)).toBe(1001)
  })

  it('of subordinates never overlap and stay between the limits', () => {
    const range = fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 40 }))
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), (ranges) => {
        const text = ranges.map(([start, count]) => `x:${start}:${count}\n`).join('')
        const start = nextFreeRange(parseColonFile(text, 3), { min: 50, max: 149, count: 20 })
        const clash = (at: number) => ranges.some(([from, count]) => at < from + count && from < at + 20)
        const possible = Array.from({ length: 81 }, (_, index) => 50 + index).filter((at) => !clash(at))
        expect(start).toBe(possible[0])
      }),
      { numRuns: 500 },
    )
  })
})

describe('login.defs', () => {
  it('has the defaults of shadow-utils where it is silent', () => {
    expect(parseAccountSettings('', '')).toMatchObject({
      uidMin: 1000,
      uidMax: 60000,
      userGroups: false,
      createHome: undefined,
      homeMode: 0o755,
      passwordMaxDays: '',
      defaults: { home: '/home', skel: '/etc/skel', inactive: '' },
    })
  })

  it('reads octal, hexadecimal, quotes, comments and blanks', () => {
    const text = '# UID_MIN 1\n UID_MIN\t0x7d0 \nUMASK "027"\nCREATE_HOME yes\nPASS_MAX_DAYS -1\n'
    expect(parseAccountSettings(text, 'INACTIVE=30\n')).toMatchObject({
      uidMin: 2000,
      homeMode: 0o750,
      createHome: true,
      passwordMaxDays: '',
      defaults: { inactive: '30' },
    })
  })

  it('is quick about a line of a million blanks', () => {
    parseAccountSettings(`A${' '.repeat(1_000_000)}"x`, '')
  })
})
