import { installBootloader, readBootCode } from '@bootable/bootloader'
import { BootableError, FormatError, memoryDevice, memorySource } from '@bootable/bytes'
import type { MountPoint } from '@bootable/system'
import { createFile, findFile, putInode } from '@bootable/tree'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeCoreImage } from '../../src/grub-bios/core-image.ts'
import { readElf32 } from '../../src/grub-bios/elf.ts'
import { loadKernel } from '../../src/grub-bios/kernel.ts'
import { decodeModuleArea, encodeModuleArea } from '../../src/grub-bios/module-area.ts'
import { parseModuleDependencies, resolveModules } from '../../src/grub-bios/modules.ts'
import { BOOT, BTRFS_ROOT, CLOCK, ESP, installedSystem, ROOT, SHIM_AND_GRUB } from '../system.ts'
import { decompressor, grubFiles, kernelFile, moduleFile } from './grub-files.ts'

const PLACE = 'usr/lib/grub/i386-pc'

/** Where an installation goes. */
interface Storage {
  readonly mounts?: readonly MountPoint[]
  readonly partitionTable?: 'gpt' | 'dos'
}

/** Installs these files of GRUB; a file that is `undefined` is left out. */
async function install(
  change: Record<string, Uint8Array | undefined> = {},
  others: Record<string, string> = {},
  { mounts = [ROOT, BOOT, ESP], ...storage }: Storage = {},
) {
  const system = installedSystem({ 'usr/share/grub/unicode.pf2': 'font', ...others })
  for (const [name, data] of Object.entries({ ...grubFiles(), ...change })) {
    if (data) putInode(system.sysroot, `${PLACE}/${name}`, createFile(data))
  }
  const installed = await installBootloader(system, mounts, { clock: CLOCK, ...storage })
  return { system, installed }
}

/** The disk that a boot code makes, its partition at sector 2048. */
async function placed(change: Record<string, Uint8Array | undefined> = {}, storage: Storage = {}) {
  const { installed } = await install(change, {}, storage)
  const device = memoryDevice(4 * 1024 * 1024)
  const found = installed.bootCode?.place(2048)
  await device.write(0x1b8, Uint8Array.of(1, 2, 3, 4, 0, 0))
  await device.write(0x1fe, Uint8Array.of(0x55, 0xaa))
  await device.write(0, found?.bootSector as Uint8Array)
  await device.write(2048 * 512, found?.image as Uint8Array)
  return { device, ...found, size: installed.bootCode?.size }
}

describe('GRUB for a BIOS', () => {
  test('is installed beside shim and GRUB, with one menu for both', async () => {
    const { system, installed } = await install({}, SHIM_AND_GRUB)
    expect(installed).toMatchObject({
      kind: 'grub',
      bios: PLACE,
      reason:
        'The image ships shim and GRUB in /usr/lib/bootupd/updates/EFI, GRUB for a BIOS in /usr/lib/grub/i386-pc.',
    })
    const at = (path: string) => findFile(system.sysroot, path)?.content
    expect(at('boot/grub2/i386-pc/ext2.mod')).toBe(at(`${PLACE}/ext2.mod`))
    expect(at('boot/grub2/fonts/unicode.pf2')).toBe(at('usr/share/grub/unicode.pf2'))
    for (const name of ['moddep.lst', 'efiemu32.o', 'boot.img', 'core.img']) {
      expect(at(`boot/grub2/i386-pc/${name}`), name).toBeDefined()
    }
    expect(at('boot/grub2/i386-pc/config.h')).toBeUndefined()
    expect(at('boot/grub2/grub.cfg')).toBeDefined()
    expect(at('boot/efi/EFI/BOOT/grub.cfg')).toBeDefined()
  })

  test('alone says so and leaves the EFI system partition empty', async () => {
    const { system, installed } = await install()
    expect(installed.reason).toMatch(/none for UEFI: the disk starts on a BIOS only/)
    expect(findFile(system.sysroot, 'boot/efi/EFI/BOOT/grub.cfg')).toBeUndefined()
  })

  test('is read back from the disk', async () => {
    const { device, size, bootSector } = await placed()
    expect(bootSector).toHaveLength(0x1b8)
    expect(await readBootCode(device)).toEqual({
      firstSector: 2048,
      size,
      kernelSize: 0x80 + '\0grub_malloc\0grub_free\0'.length,
      modules: ['biosdisk', 'part_gpt', 'fshelp', 'ext2', 'search_fs_uuid'],
      config: `search.fs_uuid ${BOOT.uuid} root\nset prefix=($root)/grub2\n`,
      prefix: '/grub2',
    })
  })

  test.each([
    [
      'a module is missing',
      { 'ext2.mod': undefined, 'moddep.lst': undefined },
      'BOOTLOADER_MODULES_MISSING',
      'ext2.mod',
    ],
    ['the kernel is missing', { 'kernel.img': undefined }, 'BOOTLOADER_MODULES_MISSING', '/kernel.img'],
    [
      'an older kernel',
      { 'kernel.img': kernelFile(['grub_free']) },
      'BOOTLOADER_MODULES_MIXED',
      'biosdisk.mod needs grub_malloc',
    ],
    [
      'a module that needs others',
      { 'ext2.mod': moduleFile('ext2') },
      'BOOTLOADER_MODULES_MIXED',
      'moddep.lst says fshelp',
    ],
    [
      'too large a kernel',
      { 'kernel.img': kernelFile(['grub_malloc', 'grub_free'], 0x60000) },
      'BOOTLOADER_CORE_TOO_LARGE',
      '425984',
    ],
    [
      'too long a decompressor',
      { 'lzma_decompress.img': decompressor(0xe01) },
      'FORMAT_INVALID',
      '3584 are the most',
    ],
    ['a broken module', { 'ext2.mod': new Uint8Array(60) }, 'FORMAT_INVALID', 'ext2.mod'],
    [
      'another boot sector',
      { 'boot.img': new Uint8Array(512) },
      'FORMAT_INVALID',
      'not the boot sector of GRUB',
    ],
  ])('is refused: %s', async (_, change, code, message) => {
    await expect(install(change)).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
  })

  test('is refused where its modules and its version differ', async () => {
    const version = new TextEncoder().encode('grub_version="2.06"\n')
    const normal = moduleFile('normal', ['fshelp'], ['2.12-9+deb13u1', 'grub_malloc'])
    const kernel = kernelFile(['grub_malloc', 'grub_free', '2.12-9+deb13u1'])
    const files = { 'modinfo.sh': version, 'normal.mod': normal, 'kernel.img': kernel }
    await expect(install(files)).rejects.toMatchObject({
      code: 'BOOTLOADER_MODULES_MIXED',
      message: expect.stringMatching(/normal.mod is of GRUB 2.12.*modinfo.sh of 2.06/),
    })
  })

  test('is refused where a BIOS could not load it', () => {
    const { 'diskboot.img': diskboot, 'kernel.img': kernel } = grubFiles() as Record<string, Uint8Array>
    const files = { diskboot, kernel, decompressor: decompressor() } as Parameters<typeof encodeCoreImage>[0]
    const encode = () => encodeCoreImage(files, { modules: [], prefix: '/' }, () => new Uint8Array(454_600))
    expect(encode).toThrow(expect.objectContaining({ code: 'BOOTLOADER_CORE_TOO_LARGE' }))
    expect(encode).toThrow('454728 bytes; a BIOS loads 454656 at most')
  })

  const onLvm = { ...ROOT, layers: [{ type: 'lvm', group: 'vg00', volume: 'rootlv' } as const] }

  test.each([
    ['xfs', { mounts: [ROOT, { ...BOOT, type: 'xfs' }, ESP] }, 'part_gpt fshelp xfs', '/grub2'],
    ['btrfs', { mounts: [{ ...ROOT, type: 'btrfs' }, ESP] }, 'part_gpt zstd btrfs', '/boot/grub2'],
    ['a subvolume', { mounts: [BTRFS_ROOT, ESP] }, 'part_gpt zstd btrfs', '/root/boot/grub2'],
    [
      'a subvolume for /boot',
      { mounts: [BTRFS_ROOT, { ...BTRFS_ROOT, path: '/boot', options: 'subvol=boot' }, ESP] },
      'part_gpt zstd btrfs',
      '/boot/grub2',
    ],
    [
      'the top of a btrfs',
      { mounts: [{ ...ROOT, type: 'btrfs', options: 'subvol=/' }, ESP] },
      'part_gpt zstd btrfs',
      '/boot/grub2',
    ],
    ['a logical volume', { mounts: [onLvm, ESP] }, 'part_gpt diskfilter lvm fshelp ext2', '/boot/grub2'],
    ['a dos table', { partitionTable: 'dos' }, 'part_msdos fshelp ext2', '/grub2'],
  ] as const)('reads %s', async (_, storage, modules, prefix) => {
    const { device } = await placed({}, storage)
    const found = await readBootCode(device)
    expect(found?.modules.join(' ')).toBe(`biosdisk ${modules} search_fs_uuid`)
    expect(found?.prefix).toBe(prefix)
    expect(found?.config).toContain(`set prefix=($root)${prefix}\n`)
  })

  test.each([
    ['the root', [{ ...ROOT, layers: [{ type: 'luks', uuid: 'x' }] }, ESP], {}],
    [
      'a volume of LVM',
      [{ ...onLvm, layers: [{ type: 'luks', uuid: 'x' }, ...onLvm.layers] }, ESP],
      SHIM_AND_GRUB,
    ],
  ] as const)('is refused where it had to decrypt %s', async (_, mounts, others) => {
    await expect(install({}, others, { mounts })).rejects.toMatchObject({
      code: 'BOOTLOADER_UNSUPPORTED',
      message: '/boot is on an encrypted volume, which GRUB does not open here',
      hint: expect.stringMatching(/give \/boot a partition of its own/),
    })
    const apart = [...mounts, { ...BOOT }]
    await expect(install({}, others, { mounts: apart })).resolves.toBeDefined()
  })

  test('needs no EFI system partition where it is all there is', async () => {
    await expect(install({}, {}, { mounts: [ROOT, BOOT] })).resolves.toMatchObject({
      installed: { firmware: [{ name: 'bios' }] },
    })
    await expect(install({}, SHIM_AND_GRUB, { mounts: [ROOT, BOOT] })).rejects.toMatchObject({
      code: 'BOOTLOADER_NO_ESP',
      hint: expect.stringContaining('--firmware bios'),
    })
  })

  test('is refused where the image has no module for it', async () => {
    const mounts = [{ ...ROOT, type: 'xfs' }, ESP] as const
    await expect(install({ 'xfs.mod': undefined }, {}, { mounts })).rejects.toMatchObject({
      code: 'BOOTLOADER_MODULES_MISSING',
      message: expect.stringContaining('xfs.mod'),
    })
  })

  test('is left out on disks with other sectors', async () => {
    const system = installedSystem(SHIM_AND_GRUB)
    putInode(system.sysroot, `${PLACE}/kernel.img`, createFile(''))
    const installed = await installBootloader(system, [ROOT, ESP], { clock: CLOCK, sectorSize: 4096 })
    expect(installed).not.toHaveProperty('bootCode')
  })
})

describe('readBootCode', () => {
  test('knows disks without GRUB', async () => {
    expect(await readBootCode(memoryDevice(1024))).toBeUndefined()
  })

  test('bits flipped and ends cut off lead to FormatError or to a reading', async () => {
    const { device } = await placed()
    const disk = new Uint8Array(2048 * 512 + 2048)
    await device.read(0, disk)
    const bits = fc.integer({ min: 0, max: 2047 * 8 + 7 })
    const position = fc.oneof(
      fc.integer({ min: 0, max: 511 }),
      fc.integer({ min: 2048 * 512, max: disk.length - 1 }),
    )
    const attempt = async (data: Uint8Array): Promise<void> => {
      try {
        await readBootCode(memorySource(data))
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError)
      }
    }
    await fc.assert(
      fc.asyncProperty(position, bits, async (at, bit) => {
        const damaged = disk.slice()
        damaged[at] = (damaged[at] as number) ^ (1 << (bit & 7))
        await attempt(damaged)
        await attempt(disk.subarray(0, Math.max(512, at)))
      }),
    )
  })
})

describe('modules', () => {
  test('stand after what they need, walked from the last need to the first', () => {
    const list = parseModuleDependencies('a: b c\nb: d\nc: d\nd:\n\nnot a line\n')
    expect(resolveModules(['a'], list)).toEqual(['d', 'c', 'b', 'a'])
    expect(resolveModules(['d', 'a', 'b'], list)).toEqual(['d', 'c', 'b', 'a'])
  })

  test('a circle and a gap are named', () => {
    const list = parseModuleDependencies('a: b\nb: a\nc: nothing\n')
    expect(() => resolveModules(['a'], list)).toThrow('a → b → a')
    expect(() => resolveModules(['c'], list)).toThrow('there is no nothing, which c needs')
    expect(() => resolveModules(['x'], list)).toThrow(BootableError)
  })

  test('an area comes back', () => {
    const modules = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6, 7)]
    const area = encodeModuleArea({ modules, config: 'set a=b', prefix: '/boot' })
    expect(decodeModuleArea(area).map(({ type, content }) => [type, content.length])).toEqual([
      [0, 4],
      [0, 4],
      [2, 8],
      [3, 8],
    ])
    for (let length = 0; length < area.length; length++) {
      expect(() => decodeModuleArea(area.subarray(0, length))).toThrow(FormatError)
    }
  })
})

describe('ELF files', () => {
  test('the kernel is what lies in memory without its bss', () => {
    const kernel = loadKernel(kernelFile(['grub_malloc']))
    expect(kernel).toHaveLength(0x80 + '\0grub_malloc\0'.length)
    expect(kernel.subarray(100, 0x80).every((byte) => byte === 0)).toBe(true)
  })

  test('damage ends in FormatError or in other sections', () => {
    const file = moduleFile('ext2', ['fshelp'])
    const attempt = (data: Uint8Array): void => {
      try {
        readElf32(data, 'ext2.mod')
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError)
      }
    }
    for (let at = 0; at < file.length; at++) {
      expect(() => readElf32(file.subarray(0, at), 'ext2.mod')).toThrow(FormatError)
      for (const mask of [1, 0x80, 0xff]) {
        const damaged = file.slice()
        damaged[at] = (damaged[at] as number) ^ mask
        attempt(damaged)
      }
    }
  })
})
