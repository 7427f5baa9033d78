import { formatReference, normalizeDockerHub, parseReference } from '@bootable/oci'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const DIGEST = `sha256:${'ab'.repeat(32)}`

describe('parseReference', () => {
  test.each([
    ['debian', { repository: 'debian' }],
    ['debian:13', { repository: 'debian', tag: '13' }],
    ['a/b', { repository: 'a/b' }],
    ['localhost/b', { host: 'localhost', repository: 'b' }],
    ['quay.io/a/b:v1', { host: 'quay.io', repository: 'a/b', tag: 'v1' }],
    ['LOCAL/b', { host: 'LOCAL', repository: 'b' }],
    ['host:5000/b', { host: 'host:5000', repository: 'b' }],
    ['[::1]:5000/b:t', { host: '[::1]:5000', repository: 'b', tag: 't' }],
    [`quay.io/a/b@${DIGEST}`, { host: 'quay.io', repository: 'a/b', digest: DIGEST }],
    [`quay.io/a/b:v1@${DIGEST}`, { host: 'quay.io', repository: 'a/b', tag: 'v1', digest: DIGEST }],
    ['a--b/c__d.e_f', { repository: 'a--b/c__d.e_f' }],
    ['host:5000', { repository: 'host', tag: '5000' }],
  ])('%s', (text, expected) => {
    expect(parseReference(text)).toEqual(expected)
    expect(formatReference(parseReference(text))).toBe(text)
  })

  test.each([
    '',
    '/',
    ':tag',
    'a/',
    '/a',
    'a//b',
    'Debian',
    'quay.io/A',
    'quay.io/a:',
    'a b',
    'quay.io/../etc',
    'https://quay.io/a',
    'user@quay.io/a',
    `a@${DIGEST}@${DIGEST}`,
    'a@sha256:ff',
    `a:${'x'.repeat(129)}`,
    'a:-x',
    'a:tag\n',
    `${'a/'.repeat(128)}b`,
    'a___b',
    'host:123456/a',
    '-host.x/a',
    'x'.repeat(2000),
  ])('refuses %j', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'REFERENCE_INVALID' }))
  })

  test('answers or refuses, quickly, whatever it is given; what it takes, it gives back', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[aA0._:/@[\]-]{0,60}$/)), (text) => {
        let parsed: ReturnType<typeof parseReference>
        try {
          parsed = parseReference(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'REFERENCE_INVALID' })
          return
        }
        expect(formatReference(parsed)).toBe(text)
      }),
      { numRuns: 2000 },
    )
    const started = performance.now()
    expect(() => parseReference(`${'a-'.repeat(500)}!`)).toThrow()
    expect(performance.now() - started).toBeLessThan(100)
  })
})

describe('normalizeDockerHub', () => {
  test.each([
    ['debian', 'docker.io/library/debian'],
    ['debian:13', 'docker.io/library/debian:13'],
    ['a/b', 'docker.io/a/b'],
    ['docker.io/debian', 'docker.io/library/debian'],
    ['index.docker.io/debian', 'docker.io/library/debian'],
    ['quay.io/b', 'quay.io/b'],
    ['localhost/b', 'localhost/b'],
  ])('%s is %s', (text, expected) => {
    expect(formatReference(normalizeDockerHub(parseReference(text)))).toBe(expected)
  })
})
