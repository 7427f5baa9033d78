import { readPe, readUki, writeUki } from '@bootable/bootloader'
import { equalBytes, FormatError, memorySource, readAll, utf8 } from '@bootable/bytes'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NtHeaders, OptionalHeader } from '../../src/pe/format.ts'
import { findSection, sectionContent } from '../../src/pe/reader.ts'
import type { UkiParts } from '../../src/uki/writer.ts'
import { makeProgram, type ProgramOptions } from '../pe/program.ts'

const CODE = Uint8Array.from({ length: 0x300 }, (_, index) => index)
const SBAT = 'sbat,1,SBAT Version,sbat,1,https://example.org\nsystemd,1,x,systemd,257,y\n'
const INITRD = Uint8Array.from({ length: 5000 }, (_, index) => index * 7)
const KERNEL = makeProgram({ sections: { '.text': new Uint8Array(3000).fill(9) } })

const makeStub = (options: ProgramOptions = {}): Uint8Array =>
  makeProgram({ sections: { '.text': CODE, '.sbat': utf8(SBAT) }, sizeOfHeaders: 0x600, ...options })

function parts(given: Partial<UkiParts> & { readonly stubBytes?: Uint8Array } = {}): UkiParts {
  const { stubBytes = makeStub(), ...others } = given
  return {
    stub: memorySource(stubBytes),
    kernel: memorySource(KERNEL),
    initrd: memorySource(INITRD),
    commandLine: 'root=UUID=1 quiet',
    osRelease: memorySource(utf8('ID=debian\nPRETTY_NAME="Debian 13"\n')),
    uname: '6.12.0',
    ...others,
  }
}

async function make(given?: Parameters<typeof parts>[0]): Promise<Uint8Array> {
  return readAll(await writeUki(parts(given)))
}

async function sections(bytes: Uint8Array): Promise<Record<string, Uint8Array>> {
  const source = memorySource(bytes)
  const { sections } = await readPe(source)
  const contents = sections.map(async (section) => [
    section.name,
    await readAll(sectionContent(source, section)),
  ])
  return Object.fromEntries(await Promise.all(contents))
}

function optionalHeader(bytes: Uint8Array) {
  return OptionalHeader.read(bytes, 0x40 + NtHeaders.size)
}

describe('writeUki', () => {
  test('adds sections behind those of the stub, which stay as they are', async () => {
    const uki = await make()
    expect(await sections(uki)).toEqual({
      '.text': CODE,
      '.sbat': utf8(SBAT),
      '.osrel': utf8('ID=debian\nPRETTY_NAME="Debian 13"\n'),
      '.cmdline': utf8('root=UUID=1 quiet'),
      '.uname': utf8('6.12.0'),
      '.initrd': INITRD,
      '.linux': KERNEL,
    })
    const image = await readPe(memorySource(uki))
    expect(findSection(image, '.linux')?.characteristics).toBe(0x40000020)
    expect(findSection(image, '.initrd')?.characteristics).toBe(0x40000040)
    expect(uki.subarray(0x600, 0xc00)).toEqual(makeStub().subarray(0x600, 0xc00))
  })

  test('keeps to the alignments and says how large the image has become', async () => {
    const uki = await make()
    const { sections, fileAlignment } = await readPe(memorySource(uki))
    let [end, address] = [0, 0]
    for (const { offset, rawSize, virtualAddress, virtualSize } of sections) {
      expect([offset % fileAlignment, rawSize % fileAlignment, virtualAddress % 0x1000]).toEqual([0, 0, 0])
      expect(offset).toBeGreaterThanOrEqual(end)
      expect(virtualAddress).toBeGreaterThanOrEqual(address)
      end = offset + rawSize
      address = virtualAddress + virtualSize
    }
    expect(uki).toHaveLength(end)
    const header = optionalHeader(uki)
    expect(header.sizeOfImage).toBe(Math.ceil(address / 0x1000) * 0x1000)
    expect(header.checkSum).toBe(0)
    expect(header.sizeOfInitializedData).toBe(34 + 17 + 6 + INITRD.length + KERNEL.length)
  })

  test('leaves out what is empty or not given', async () => {
    const { initrd: _, uname: __, ...rest } = parts({ commandLine: '' })
    const { sections } = await readPe(await writeUki(rest))
    expect(sections.map(({ name }) => name)).toEqual(['.text', '.sbat', '.osrel', '.linux'])
  })

  test('reads no content before its own is read', async () => {
    const read: number[] = []
    const initrd = {
      size: 3 * 2 ** 30,
      async read(offset: number, target: Uint8Array) {
        read.push(offset)
        target.fill(7)
      },
    }
    const uki = await writeUki(parts({ initrd }))
    expect(read).toEqual([])
    const section = findSection(await readPe(uki), '.initrd')
    expect(section?.rawSize).toBe(initrd.size)
    const target = new Uint8Array(3)
    await uki.read((section?.offset ?? 0) + 2 ** 31, target)
    expect([read, [...target]]).toEqual([[2 ** 31], [7, 7, 7]])
    await expect(writeUki(parts({ initrd: { ...initrd, size: 2 ** 32 } }))).rejects.toMatchObject({
      code: 'BOOTLOADER_UKI_IMPOSSIBLE',
    })
  })

  test('makes room for headers where the stub has none', async () => {
    const uki = await make({ stubBytes: makeStub({ sizeOfHeaders: 0x200 }) })
    expect(await sections(uki)).toMatchObject({ '.text': CODE, '.sbat': utf8(SBAT), '.linux': KERNEL })
    const image = await readPe(memorySource(uki))
    expect(image.sizeOfHeaders).toBe(0x400)
    expect(image.sections[0]?.offset).toBe(0x400)
  })

  test('refuses a stub with no room in memory either', async () => {
    const stubBytes = makeStub({ sizeOfHeaders: 0x200, firstAddress: 0x200 })
    await expect(make({ stubBytes })).rejects.toMatchObject({
      code: 'BOOTLOADER_UKI_IMPOSSIBLE',
      details: { inserted: 0x200, firstAddress: 0x200 },
    })
  })

  test('strips symbols at the end of the stub, and nowhere else', async () => {
    const stripped = await make({ stubBytes: makeStub({ symbols: 3 }) })
    expect(NtHeaders.read(stripped, 0x40)).toMatchObject({
      pointerToSymbolTable: 0,
      numberOfSymbols: 0,
      characteristics: 0x20e,
    })
    expect(stripped.length).toBe((await make()).length)

    const other = makeStub({ symbols: 3, sizeOfHeaders: 0x200 })
    const followed = new Uint8Array(other.length + 1)
    followed.set(other)
    const kept = await make({ stubBytes: followed })
    const { pointerToSymbolTable } = NtHeaders.read(other, 0x40)
    expect(NtHeaders.read(kept, 0x40).pointerToSymbolTable).toBe(pointerToSymbolTable + 0x200)
    expect(await sections(kept)).toMatchObject({ '.text': CODE, '.linux': KERNEL })
  })

  test('says that memory is written or executed only where the kernel says so too', async () => {
    expect(optionalHeader(await make()).dllCharacteristics).toBe(0x160)
    const kernel = memorySource(makeProgram({ isNxCompatible: false }))
    expect(optionalHeader(await make({ kernel })).dllCharacteristics).toBe(0x60)
  })

  test('puts further generations into the table of the stub', async () => {
    const sbat = 'sbat,1,other header\nlinux.example,1,a,b,c,d\nsystemd,1,x,systemd,257,y\n'
    const uki = await make({ sbat })
    expect((await sections(uki))['.sbat']).toEqual(utf8(`${SBAT}linux.example,1,a,b,c,d\n`))
    expect((await sections(uki))['.text']).toEqual(CODE)
    const bare = await make({ sbat: 'sbat,1\na,1\n', stubBytes: makeStub({ sections: { '.text': CODE } }) })
    expect((await sections(bare))['.sbat']).toEqual(utf8('sbat,1\na,1\n'))
    await expect(make({ sbat: 'x'.repeat(600) })).rejects.toThrow('the stub has room for 512 bytes of SBAT')
  })

  test.each([
    ['is signed', makeStub({ certificates: new Uint8Array(8) }), 'the stub is signed'],
    ['is for another processor', makeStub({ machine: 0xaa64 }), '0xaa64, the kernel for 0x8664'],
    ['has a kernel in it', makeStub({ sections: { '.linux': CODE } }), 'has a section .linux already'],
    ['has no sections', makeStub({ sections: {} }), 'has no sections'],
  ])('refuses a stub that %s', async (_, stubBytes, message) => {
    await expect(make({ stubBytes })).rejects.toThrow(message)
  })

  test('refuses a kernel that is no EFI program', async () => {
    await expect(make({ kernel: memorySource(new Uint8Array(1000)) })).rejects.toBeInstanceOf(FormatError)
  })

  test('gives the same bytes twice', async () => {
    expect(await make()).toEqual(await make())
  })

  test('meets a damaged stub with an error of ours, or leaves what it is given in place', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(0x1a0), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const stubBytes = makeStub({ symbols: 1 })
          for (const [offset, value] of changes) stubBytes[offset] = value
          try {
            const uki = await writeUki(parts({ stubBytes }))
            const linux = findSection(await readPe(uki), '.linux')
            expect(linux && equalBytes(await readAll(sectionContent(uki, linux)), KERNEL)).toBe(true)
          } catch (error) {
            expect((error as { code?: string }).code).toMatch(/^FORMAT_|^BOOTLOADER_UKI_IMPOSSIBLE$/)
          }
        },
      ),
      { numRuns: 300 },
    ))
})

describe('readUki', () => {
  test('reads what was written', async () => {
    expect(await readUki(await writeUki(parts({ commandLine: 'a b\n' })))).toMatchObject({
      commandLine: 'a b',
      osRelease: { ID: 'debian', PRETTY_NAME: 'Debian 13' },
      uname: '6.12.0',
    })
    expect(await readUki(await writeUki(parts({ commandLine: 'a\0\0' })))).toMatchObject({ commandLine: 'a' })
  })

  test.each([
    ['a program without a kernel', KERNEL, 'without a kernel in it'],
    [
      'a command line that is none',
      makeProgram({ sections: { '.linux': CODE, '.cmdline': Uint8Array.of(0xff) } }),
      'not UTF-8',
    ],
    [
      'a command line as long as a book',
      makeProgram({ sections: { '.linux': CODE, '.cmdline': new Uint8Array(70_000) } }),
      '70000 bytes of text',
    ],
  ])('refuses %s', async (_, bytes, message) => {
    const reading = readUki(memorySource(bytes))
    await expect(reading).rejects.toBeInstanceOf(FormatError)
    await expect(reading).rejects.toThrow(message)
  })
})
