import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseChallenges } from '../../src/auth/challenge.ts'

const plain = (header: string): unknown =>
  parseChallenges(header).map(({ scheme, parameters, ...rest }) => ({
    scheme,
    ...Object.fromEntries(parameters),
    ...rest,
  }))

test('the challenge of Docker Hub', () => {
  const header =
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/debian:pull,push"'
  expect(plain(header)).toEqual([
    {
      scheme: 'bearer',
      realm: 'https://auth.docker.io/token',
      service: 'registry.docker.io',
      scope: 'repository:library/debian:pull,push',
    },
  ])
})

// RFC 9110, 11.6.1 has this example, with the remark that parsing it needs care.
test('several challenges in one line', () => {
  expect(plain('Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""')).toEqual([
    { scheme: 'basic', realm: 'simple' },
    { scheme: 'newauth', realm: 'apps', type: '1', title: 'Login to "apps"' },
  ])
})

test.each([
  ['a scheme alone', 'Negotiate', [{ scheme: 'negotiate' }]],
  [
    'token68',
    'Negotiate YII=, Basic realm=x',
    [
      { scheme: 'negotiate', token68: 'YII=' },
      { scheme: 'basic', realm: 'x' },
    ],
  ],
  [
    'unquoted URL',
    'Bearer realm=https://a/b,service=c',
    [{ scheme: 'bearer', realm: 'https://a/b', service: 'c' }],
  ],
  ['spaces around =', 'Bearer realm = "a" , service= "b"', [{ scheme: 'bearer', realm: 'a', service: 'b' }]],
  ['empty list members', ', ,Basic realm="a",, ,', [{ scheme: 'basic', realm: 'a' }]],
  ['the first of a repeated parameter', 'Basic realm="a",realm="b"', [{ scheme: 'basic', realm: 'a' }]],
  ['names in any case', 'BEARER Realm="a"', [{ scheme: 'bearer', realm: 'a' }]],
  ['an open quote', 'Basic realm="a, b', [{ scheme: 'basic', realm: 'a, b' }]],
  ['dangerous names', 'Basic __proto__="a"', [{ scheme: 'basic', ['__proto__']: 'a' }]],
  ['nothing', '', []],
])('%s', (_, header, expected) => {
  expect(plain(header)).toEqual(expected)
})

const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
const challenge = fc.record({
  scheme: token,
  parameters: fc.uniqueArray(fc.tuple(token, fc.string()), { selector: ([name]) => name, minLength: 1 }),
})

test('whatever is written by the grammar is read back', () => {
  const quote = (value: string): string => `"${value.replaceAll(/["\\]/g, '\\$&')}"`
  fc.assert(
    fc.property(fc.array(challenge), (challenges) => {
      const header = challenges
        .map(
          ({ scheme, parameters }) =>
            `${scheme} ${parameters.map(([n, v]) => `${n}=${quote(v)}`).join(', ')}`,
        )
        .join(', ')
      const read = parseChallenges(header).map(({ scheme, parameters }) => ({
        scheme,
        parameters: [...parameters],
      }))
      expect(read).toEqual(challenges)
    }),
  )
})

test('nothing a server writes makes it throw', () => {
  const alphabet = fc.constantFrom('"', '\\', ',', '=', ' ', '\t', 'a', 'B', '/', '\u00e9')
  fc.assert(fc.property(fc.string({ unit: alphabet }), (header) => Array.isArray(parseChallenges(header))))
})

// A header has up to 16 KiB in Node; the time must grow with its length, not with its square.
test('a long hostile header takes no time', () => {
  for (const piece of ['"\\', 'a ', 'a=', ',,', ' = ', 'a=b=', '\t ']) {
    const start = performance.now()
    parseChallenges(`Basic ${piece.repeat(100_000)}`)
    expect(performance.now() - start, piece).toBeLessThan(1000)
  }
})
