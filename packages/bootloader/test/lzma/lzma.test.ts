import { FormatError, utf8 } from '@bootable/bytes'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeLzma } from '../../src/lzma/decoder.ts'
import { encodeLzma } from '../../src/lzma/encoder.ts'

const TEXT = utf8('It was the best of times, it was the worst of times. '.repeat(60))

describe('encodeLzma', () => {
  test.each([
    ['nothing', new Uint8Array()],
    ['a byte', Uint8Array.of(7)],
    ['text', TEXT],
    ['zeros, in matches of all lengths', new Uint8Array(70_000)],
    ['distances of all slots', distances()],
    ['more than a chunk that does not shrink', noise(150_000)],
  ])('%s comes back', (_, data) => {
    const stream = encodeLzma(data)
    expect(stream[0]).toBe(0)
    expect(Buffer.compare(decodeLzma(stream, data.length), data)).toBe(0)
  })

  test('shrinks what repeats', () => {
    expect(encodeLzma(TEXT).length).toBeLessThan(80)
    expect(encodeLzma(noise(50_000)).length).toBeLessThan(50_000 * 1.02)
  })

  test('random data comes back', () => {
    const few = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 400 })
    const any = fc.uint8Array({ maxLength: 200 })
    fc.assert(
      fc.property(fc.array(fc.oneof(few, any), { maxLength: 6 }), (parts) => {
        const data = Uint8Array.from(parts.flatMap((part) => [...part]))
        expect(Buffer.compare(decodeLzma(encodeLzma(data), data.length), data)).toBe(0)
      }),
    )
  })

  test('a stream of xz is read', () => {
    // printf abcabcabcabcabcabc | xz --format=raw --lzma1=lc=3,lp=0,pb=2
    const stream = Uint8Array.from(Buffer.from('00309888aa02a643ebffffb5800000', 'hex'))
    expect(new TextDecoder().decode(decodeLzma(stream, 18))).toBe('abcabcabcabcabcabc')
  })
})

describe('decodeLzma', () => {
  const stream = encodeLzma(TEXT)

  test('cut streams end in FormatError', () => {
    for (let length = 0; length < stream.length - 5; length++) {
      expect(() => decodeLzma(stream.subarray(0, length), TEXT.length)).toThrow(FormatError)
    }
  })

  test('flipped bits end in FormatError or in other data of the same length', () => {
    for (let bit = 0; bit < stream.length * 8; bit += 3) {
      const damaged = stream.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      try {
        expect(decodeLzma(damaged, TEXT.length)).toHaveLength(TEXT.length)
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError)
      }
    }
  })
})

function noise(length: number): Uint8Array {
  let state = 1
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 16
  })
}

/** The same twelve bytes again and again, ever farther from each other. */
function distances(): Uint8Array {
  const data = noise(300_000)
  const mark = utf8('twelve bytes')
  for (let at = 0, step = 13; at + 12 < data.length; at += step, step = Math.ceil(step * 1.5))
    data.set(mark, at)
  return data
}
