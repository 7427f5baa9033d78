import { FormatError, memorySource } from '@bootable/bytes'
import { describe, expect, test } from 'vitest'
import { encodeEfiImage } from '../../src/grub-efi/image.ts'
import { linkKernel } from '../../src/grub-efi/kernel.ts'
import { readPe } from '../../src/pe/reader.ts'
import { kernelFile } from './kernel-file.ts'

const PARTS = { modules: [new Uint8Array(5)], config: 'set x=1\n', prefix: '/boot/grub' }

describe('linkKernel', () => {
  test('places code, data and bss on pages of their own and writes addresses', () => {
    const kernel = linkKernel(
      kernelFile([
        { offset: 0, type: 1, symbol: 3, addend: 2 },
        { offset: 8, type: 2, symbol: 1, addend: -4 },
        { offset: 16, type: 24, symbol: 3, addend: 0 },
        { offset: 24, type: 1, symbol: 2, addend: 0 },
        { offset: 32, type: 1, symbol: 4, addend: 0 },
      ]),
    )
    const view = new DataView(kernel.content.buffer)
    expect(kernel).toMatchObject({ codeSize: 0x1000, entry: 0x1004, fixups: [0x1000, 0x1018, 0x1020] })
    expect(kernel.content.length).toBe(0x2000)
    expect(view.getBigUint64(0, true)).toBe(0x200an)
    expect(view.getInt32(8, true)).toBe(0x1004 - 4 - 0x1008)
    expect(view.getBigInt64(16, true)).toBe(0x2008n - 0x1010n)
    // grub-mkimage counts these two from behind the headers.
    expect(view.getBigUint64(24, true)).toBe(0x1012n)
    expect(view.getBigUint64(32, true)).toBe(0x2000n)
    expect(new TextDecoder().decode(kernel.content.subarray(0x1000, 0x1012))).toBe('data of the kernel')
  })

  test.each([
    ['of a kind that kernels of GRUB do not have', { offset: 0, type: 10, symbol: 1, addend: 0 }],
    ['outside of the section', { offset: 44, type: 1, symbol: 1, addend: 0 }],
    ['for a symbol that is not there', { offset: 0, type: 1, symbol: 9, addend: 0 }],
  ])('refuses a relocation %s', (_, relocation) => {
    expect(() => linkKernel(kernelFile([relocation]))).toThrow(FormatError)
  })

  test('bits flipped and ends cut off lead to FormatError or to a kernel', () => {
    const file = kernelFile([{ offset: 0, type: 1, symbol: 3, addend: 2 }])
    const attempt = (data: Uint8Array): void => {
      try {
        expect(linkKernel(data).content.length).toBeLessThanOrEqual(16 * 1024 * 1024)
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError)
      }
    }
    for (let at = 0; at < file.length; at++) {
      for (const bit of [0, 3, 7]) {
        const flipped = file.slice()
        flipped[at] = (flipped[at] as number) ^ (1 << bit)
        attempt(flipped)
      }
      if (at % 8 === 0) expect(() => linkKernel(file.subarray(0, at))).toThrow(FormatError)
    }
  })
})

describe('encodeEfiImage', () => {
  test('makes a program that lies in memory as it lies in the file', async () => {
    const image = encodeEfiImage(kernelFile([{ offset: 0, type: 1, symbol: 3, addend: 0 }]), PARTS)
    const pe = await readPe(memorySource(image))
    expect(pe).toMatchObject({ machine: 0x8664, subsystem: 10, isNxCompatible: false, sizeOfHeaders: 0x1000 })
    expect(pe.certificates).toBeUndefined()
    expect(pe.sections.map(({ name, offset, rawSize }) => [name, offset, rawSize])).toEqual([
      ['.text', 0x1000, 0x1000],
      ['.data', 0x2000, 0x1000],
      ['mods', 0x3000, 0x1000],
      ['.reloc', 0x4000, 0x1000],
    ])
    expect(pe.sections.every(({ virtualAddress, offset }) => virtualAddress === offset)).toBe(true)
    expect(image.length).toBe(0x5000)
    // The page, the length of the whole section, and an address of 64 bits at its first byte.
    expect([...image.subarray(0x4000, 0x400c)]).toEqual([0, 0x10, 0, 0, 0, 0x10, 0, 0, 0, 0xa0, 0, 0])
  })

  test('says that it lives with strict memory where that is so', async () => {
    const image = encodeEfiImage(kernelFile([]), PARTS, { isNxCompatible: true })
    expect((await readPe(memorySource(image))).isNxCompatible).toBe(true)
  })
})
