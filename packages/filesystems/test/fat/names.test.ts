import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeShortName } from '../../src/fat/code-page.ts'
import { assignShortNames, caseKey, nameProblem, shortNameChecksum } from '../../src/fat/names.ts'
import { decodeTime, encodeTime } from '../../src/fat/time.ts'

function short(...names: string[]): string[] {
  return assignShortNames(names).map(
    ({ bytes, lossy }) => `${String.fromCharCode(...bytes)}${lossy ? '+' : ''}`,
  )
}

describe('assignShortNames', () => {
  test('names in 8.3 and upper case need no long name', () => {
    expect(short('BOOTX64.EFI', 'GRUB.CFG', 'EFI', 'A-B_C~1')).toEqual([
      'BOOTX64 EFI',
      'GRUB    CFG',
      'EFI        ',
      'A-B_C~1    ',
    ])
  })

  test('lower case keeps its letters in a long name', () => {
    expect(short('grub.cfg', 'Boot')).toEqual(['GRUB    CFG+', 'BOOT       +'])
  })

  test('longer names are numbered, base by base', () => {
    expect(
      short('loader.conf', 'loader.config', 'vmlinuz-6.1.0-13-amd64', 'a b.c.d', '.hidden', 'é'),
    ).toEqual([
      'LOADER~1CON+',
      'LOADER~2CON+',
      'VMLINU~10-1+',
      'ABC~1   D  +',
      'HIDDEN~1   +',
      '_~1        +',
    ])
  })

  test('an alias never takes the place of a name that stands there', () => {
    expect(short('a long name', 'ALONGN~1', 'alongn~2')).toEqual([
      'ALONGN~3   +',
      'ALONGN~1   ',
      'ALONGN~2   +',
    ])
  })

  test('aliases are unique and legal, whatever the names', () => {
    const names = fc
      .array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), { maxLength: 60 })
      .map((list) => [...new Map(list.map((name) => [caseKey(name), name])).values()])
      .map((list) => list.filter((name) => nameProblem(name) === undefined))
    const property = fc.property(names, (list) => {
      const aliases = assignShortNames(list).map(({ bytes }) => String.fromCharCode(...bytes))
      expect(new Set(aliases).size).toBe(list.length)
      for (const alias of aliases)
        expect(alias).toMatch(/^(?! )[A-Z0-9!#$%&'()@^_`{}~-]+ *[A-Z0-9!#$%&'()@^_`{}~-]* *$/)
    })
    // biome-ignore lint/nursery/noFloatingPromises: the property is synchronous, and so is its assertion
    fc.assert(property)
  })

  test('ten thousand names alike take no time', () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `a name much like the others ${index}.conf`)
    expect(new Set(short(...names)).size).toBe(10_000)
  })
})

test('the checksum of the specification', () => {
  // Computed by the C function that fatgen103 prints on page 28.
  const reference = (name: string): number => {
    let sum = 0
    for (let index = 0; index < 11; index++) {
      sum = ((sum & 1 ? 0x80 : 0) + (sum >> 1) + name.charCodeAt(index)) & 0xff
    }
    return sum
  }
  for (const name of ['GRUB    CFG', 'A       TXT', 'LOADER~1CON']) {
    expect(shortNameChecksum(new TextEncoder().encode(name))).toBe(reference(name))
  }
})

test('short names of others: lower case marks, code page 437, the letter 0xE5', () => {
  const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))
  expect(decodeShortName(bytes('README  TXT'), 0)).toBe('README.TXT')
  expect(decodeShortName(bytes('README  TXT'), 0x08)).toBe('readme.TXT')
  expect(decodeShortName(bytes('README  TXT'), 0x18)).toBe('readme.txt')
  expect(decodeShortName(bytes('\x8eRGER     '), 0)).toBe('ÄRGER')
  expect(decodeShortName(bytes('\x05BC        '), 0)).toBe('σBC')
})

describe('times', () => {
  test('two seconds, UTC, 1980 to 2107', () => {
    const round = (seconds: number) => decodeTime(encodeTime({ seconds, nanoseconds: 5 })).seconds
    expect(round(1_700_000_001)).toBe(1_700_000_000)
    expect(round(0)).toBe(Date.UTC(1980, 0, 1) / 1000)
    expect(round(2 ** 33)).toBe(Date.UTC(2107, 11, 31, 23, 59, 58) / 1000)
  })

  test('a date of zero, as old tools leave it, is the first of 1980', () => {
    expect(decodeTime({ date: 0, time: 0 }).seconds).toBe(Date.UTC(1980, 0, 1) / 1000)
  })
})
