import { readPe } from '@bootable/bootloader'
import { FormatError, memorySource, readAll } from '@bootable/bytes'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findSection, sectionContent } from '../../src/pe/reader.ts'
import { makeProgram } from './program.ts'

const read = (bytes: Uint8Array) => readPe(memorySource(bytes))

describe('readPe', () => {
  test('tells sections, versions and that nobody has signed', async () => {
    const content = Uint8Array.from({ length: 700 }, (_, index) => index)
    const program = makeProgram({ sections: { '.text': Uint8Array.of(0xc3), '.data': content } })
    const image = await read(program)
    expect(image).toMatchObject({
      machine: 0x8664,
      imageVersion: { major: 1, minor: 0 },
      subsystem: 10,
      isNxCompatible: true,
      sections: [
        { name: '.text', virtualAddress: 0x1000, virtualSize: 1, offset: 0x400, rawSize: 0x200 },
        { name: '.data', virtualAddress: 0x2000, virtualSize: 700, offset: 0x600, rawSize: 0x400 },
      ],
      fileAlignment: 0x200,
      sectionAlignment: 0x1000,
    })
    expect(image.certificates).toBeUndefined()
    const section = findSection(image, '.data')
    expect(section && (await readAll(sectionContent(memorySource(program), section)))).toEqual(content)
    expect(findSection(image, '.linux')).toBeUndefined()
  })

  test('tells where signatures are', async () => {
    const image = await read(makeProgram({ certificates: new Uint8Array(24) }))
    expect(image.certificates).toEqual({ offset: 0x600, size: 24 })
  })

  test('takes a section of zeros that has no place in the file', async () => {
    const program = makeProgram({ sections: { '.bss': new Uint8Array() } })
    expect((await read(program)).sections[0]).toMatchObject({ offset: 0, rawSize: 0 })
  })

  test.each([
    ['an empty file', new Uint8Array(), 'FORMAT_TRUNCATED'],
    ['a gzip file', Uint8Array.from({ length: 100 }, (_, i) => [0x1f, 0x8b][i] ?? 0), 'FORMAT_INVALID'],
    ['32-bit programs', makeProgram({ magic: 0x10b }), 'FORMAT_UNSUPPORTED'],
    ['a cut section', makeProgram().subarray(0, 0x5ff), 'FORMAT_TRUNCATED'],
    [
      'cut signatures',
      makeProgram({ certificates: new Uint8Array(8) }).subarray(0, 0x607),
      'FORMAT_TRUNCATED',
    ],
  ] as const)('refuses %s', async (_, bytes, code) => {
    await expect(read(bytes)).rejects.toMatchObject({ code, details: { format: 'PE' } })
  })

  const sample = makeProgram({
    sections: { '.text': new Uint8Array(600), '.sbat': new Uint8Array(40) },
    certificates: new Uint8Array(16),
  })

  test('cut anywhere, says so', async () => {
    for (let length = 0; length < sample.length; length++) {
      await expect(read(sample.subarray(0, length)), `${length} bytes`).rejects.toBeInstanceOf(FormatError)
    }
  })

  test('throws nothing but FormatError whatever is in the headers, and never points out of the file', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(0x200), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (changes) => {
          const bytes = sample.slice()
          for (const [offset, value] of changes) bytes[offset] = value
          const source = memorySource(bytes)
          try {
            const { sections, certificates } = await readPe(source)
            for (const section of sections) await readAll(sectionContent(source, section))
            if (certificates)
              expect(certificates.offset + certificates.size).toBeLessThanOrEqual(bytes.length)
          } catch (error) {
            expect(error).toBeInstanceOf(FormatError)
          }
        },
      ),
      { numRuns: 1000 },
    ))
})
