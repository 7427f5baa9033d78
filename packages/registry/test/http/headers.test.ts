import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  contentRangeOf,
  linksOf,
  mediaTypeOf,
  numberOf,
  retryAfterOf,
  warningsOf,
} from '../../src/http/headers.ts'

const one = (name: string, value: string): Headers => new Headers({ [name]: value })

test('media types lose their parameters', () => {
  expect(mediaTypeOf(one('Content-Type', 'Application/JSON; charset=utf-8'))).toBe('application/json')
  expect(mediaTypeOf(new Headers())).toBeUndefined()
})

test.each([
  ['12', 12],
  ['-1', undefined],
  ['1e3', undefined],
  ['99999999999999999999', undefined],
])('number %s', (text, value) => {
  expect(numberOf(one('Content-Length', text), 'content-length')).toBe(value)
})

test.each([
  ['120', 120_000],
  ['Wed, 21 Oct 2026 07:28:30 GMT', 30_000],
  ['Wed, 21 Oct 2026 07:27:00 GMT', 0],
  ['soon', undefined],
])('Retry-After %s', (value, expected) => {
  const headers = new Headers({ 'Retry-After': value, Date: 'Wed, 21 Oct 2026 07:28:00 GMT' })
  expect(retryAfterOf(headers)).toBe(expected)
})

test('ranges', () => {
  expect(contentRangeOf(one('Content-Range', 'bytes 5-9/10'))).toEqual({ start: 5, end: 9, size: 10 })
  expect(contentRangeOf(one('Content-Range', 'bytes 5-9/*'))).toEqual({ start: 5, end: 9 })
  expect(contentRangeOf(one('Content-Range', 'bytes */10'))).toBeUndefined()
})

test.each([
  ['</v2/a/tags/list?n=2&last=b>; rel="next"', [{ target: '/v2/a/tags/list?n=2&last=b', relation: 'next' }]],
  ['<a>;rel=next', [{ target: 'a', relation: 'next' }]],
  ['<a>; title="x, <y>; rel=prev"; rel="next"', [{ target: 'a', relation: 'next' }]],
  [
    '<a>; rel=prev, <b>; REL="Next"',
    [
      { target: 'a', relation: 'prev' },
      { target: 'b', relation: 'next' },
    ],
  ],
  ['<a>', []],
  ['next', []],
])('Link %s', (value, links) => {
  expect(linksOf(one('Link', value))).toEqual(links)
})

test('warnings', () => {
  const value = '299 - "This is \\"old\\"", 110 - "Stale", 299 - "second"'
  expect(warningsOf(one('Warning', value))).toEqual(['This is "old"', 'second'])
})

test('hostile headers neither throw nor take long', () => {
  const alphabet = fc.constantFrom('<', '>', ';', '=', '"', ',', ' ', 'rel', 'next', '\\', '299 - ')
  const header = fc.string({ unit: alphabet, maxLength: 200 }).filter((text) => text.trim() === text)
  fc.assert(
    fc.property(header, (text) => {
      linksOf(one('Link', text))
      warningsOf(one('Warning', text))
    }),
  )
  for (const piece of ['<', '<a>', '<a>;', '<a>;rel', '; rel="', '299 - "']) {
    const start = performance.now()
    const headers = new Headers({
      Link: piece.repeat(16_384 / piece.length),
      Warning: piece.repeat(16_384 / piece.length),
    })
    linksOf(headers)
    warningsOf(headers)
    expect(performance.now() - start, piece).toBeLessThan(500)
  }
})
