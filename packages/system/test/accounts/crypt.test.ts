import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashPassword, sha512Crypt } from '../../src/index.ts'

/** Made by crypt(3) of glibc; the first two and the lengths are those of Drepper's text. */
const VECTORS: readonly [password: string, salt: string, rounds: number | undefined, hash: string][] = [
  [
    'Hello world!',
    'saltstring',
    undefined,
    '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
  ],
  [
    'Hello world!',
    'saltstringsaltstring',
    10000,
    '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
  ],
  [
    'a very much longer text to encrypt.  This one even stretches over morethan one line.',
    'anotherlongsaltstring',
    1400,
    '$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1',
  ],
  [
    'we have a short salt string but not a short password',
    'short',
    77777,
    '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0',
  ],
  [
    '',
    'x',
    undefined,
    '$6$x$QSmr1Bx2g4O6BzKvdkgOcyU6H91X6I/XBv5pSalMhSPkwdH6Beo3F455xZJg0v//bxVK5F4OE5k1.0xuR26MK0',
  ],
  [
    'pässwörd: with 64+ bytes, so that the first digest is repeated in full and more than once',
    './AZaz09abcdefgh',
    undefined,
    '$6$./AZaz09abcdefgh$AYpMjH13GHw8PDl2v0.DSr7RD2vqNLM.uUv0NuwqoXFSie8dOXSJW3Es2pNbZRBDSYVjUjBnvA2hrit/GBNig.',
  ],
  [
    'a',
    '',
    undefined,
    '$6$$ek/ucQg0IM8SQLyD2D66mpoW0vAF26eA0/pqoN95V.F0nZh1IFuENNo0OikacRkDBk5frNqziMYMdVVrQ0o.51',
  ],
]

describe('SHA-512 crypt', () => {
  it.each(VECTORS)('%j', (password, salt, rounds, hash) => {
    expect(sha512Crypt(password, rounds === undefined ? { salt } : { salt, rounds })).toBe(hash)
  })

  it('refuses salts and rounds that crypt(3) would not take', () => {
    expect(() => sha512Crypt('a', { salt: 'a$b' })).toThrow(RangeError)
    expect(() => sha512Crypt('a', { salt: 'a', rounds: 999 })).toThrow(RangeError)
  })
})

describe('passwords', () => {
  const context = { seed: 'seed', user: 'anna' }

  it.each(['$6$a$b', '$5$a$b', '$2b$10$abc', '$y$j9T$a$b'])('takes %s as it is', (hash) => {
    expect(hashPassword(hash, context)).toBe(hash)
  })

  it('locks for the empty one', () => {
    expect(hashPassword('', context)).toBe('!')
  })

  it('salts by seed and user only', () => {
    const hash = hashPassword('secret', context)
    expect(hash).toMatch(/^\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}$/)
    expect(hashPassword('secret', context)).toBe(hash)
    expect(hashPassword('secret', { ...context, user: 'ben' })).not.toBe(hash)
    expect(hashPassword('secret', { ...context, seed: 'other' })).not.toBe(hash)
  })

  it('never lets a password break out of its field', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (password) => {
        fc.pre(!/^\$(6|5|2b|y)\$/.test(password))
        expect(hashPassword(password, context)).toMatch(/^[!-9;-~]+$/)
      }),
      { numRuns: 5 },
    )
  })
})
