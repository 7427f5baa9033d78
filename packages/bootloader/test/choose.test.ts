import { chooseBootloader } from '@bootable/bootloader'
import { findFile } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { installedSystem, ostreeSystem, SHIM_AND_GRUB, SYSTEMD_BOOT } from './system.ts'

const asking = (bootloader: string) => ({
  installConfiguration: { kargs: [], kargDeletes: [], bootloader },
})

describe('chooseBootloader', () => {
  test('prefers shim and GRUB', () => {
    const choice = chooseBootloader(installedSystem({ ...SHIM_AND_GRUB, ...SYSTEMD_BOOT }))
    expect(choice).toMatchObject({
      kind: 'grub',
      vendor: 'fedora',
      directory: 'grub2',
      reason: 'The image ships shim and GRUB in /usr/lib/bootupd/updates/EFI.',
    })
  })

  test('takes systemd-boot where there is no GRUB', () => {
    expect(chooseBootloader(installedSystem(SYSTEMD_BOOT))).toEqual({
      kind: 'systemd-boot',
      reason: 'The image ships systemd-boot in /usr/lib/systemd/boot/efi.',
      files: ['EFI/BOOT/BOOTX64.EFI', 'EFI/systemd/systemd-bootx64.efi'].map((target) => ({
        source: 'usr/lib/systemd/boot/efi/systemd-bootx64.efi',
        target,
      })),
    })
  })

  test("heeds the image's install configuration, and the caller before it", () => {
    const system = installedSystem({ ...SHIM_AND_GRUB, ...SYSTEMD_BOOT }, asking('systemd'))
    expect(chooseBootloader(system)).toMatchObject({
      kind: 'systemd-boot',
      reason: expect.stringContaining('install configuration asks for it'),
    })
    expect(chooseBootloader(system, { bootloader: 'grub' }).kind).toBe('grub')
    expect(chooseBootloader(installedSystem({}, asking('none')))).toMatchObject({ kind: 'none', files: [] })
  })

  test('takes no systemd-boot for deployments of ostree', () => {
    const refused = expect.objectContaining({
      code: 'BOOTLOADER_UNSUPPORTED',
      message: expect.stringContaining('reads FAT alone'),
    })
    const both = { ...SHIM_AND_GRUB, ...SYSTEMD_BOOT }
    expect(chooseBootloader(ostreeSystem(both)).kind).toBe('grub')
    expect(() => chooseBootloader(ostreeSystem(both), { bootloader: 'systemd-boot' })).toThrow(refused)
    expect(() => chooseBootloader(ostreeSystem(both, asking('systemd')))).toThrow(refused)
    expect(() => chooseBootloader(ostreeSystem(SYSTEMD_BOOT))).toThrow(
      expect.objectContaining({
        code: 'BOOTLOADER_MISSING',
        message: expect.not.stringContaining('systemd'),
      }),
    )
  })

  test('names the places where it looked', () => {
    const choose = (bootloader: 'auto' | 'grub' | 'systemd-boot') => () =>
      chooseBootloader(installedSystem({}), { bootloader })
    expect(choose('auto')).toThrow(
      expect.objectContaining({
        code: 'BOOTLOADER_MISSING',
        details: expect.objectContaining({
          places: [
            '/usr/lib/efi/*/*/EFI (shimx64.efi, grubx64.efi)',
            '/usr/lib/bootupd/updates/EFI (shimx64.efi, grubx64.efi)',
            '/usr/lib/systemd/boot/efi/systemd-bootx64.efi',
          ],
        }),
      }),
    )
    expect(choose('systemd-boot')).toThrow(
      'ships no systemd-boot for UEFI on x86_64; looked at /usr/lib/systemd/',
    )
    expect(choose('grub')).not.toThrow('/usr/lib/systemd/')
  })

  test('takes the programs of the right architecture', () => {
    const files = { 'usr/lib/systemd/boot/efi/systemd-bootaa64.efi': 'arm', ...SYSTEMD_BOOT }
    const choice = chooseBootloader(installedSystem(files, { architecture: 'aarch64' }))
    expect(choice.files[0]).toEqual({
      source: 'usr/lib/systemd/boot/efi/systemd-bootaa64.efi',
      target: 'EFI/BOOT/BOOTAA64.EFI',
    })
    expect(() => chooseBootloader(installedSystem(SHIM_AND_GRUB, { architecture: 'aarch64' }))).toThrow(
      expect.objectContaining({ code: 'BOOTLOADER_MISSING' }),
    )
  })

  test.each([
    ['ppc64le', 'core.elf from a PReP partition'],
    ['s390x', 'the boot map of zipl'],
  ] as const)('says what is missing for %s, which can do without', (architecture, missing) => {
    const system = installedSystem({}, { architecture })
    for (const bootloader of ['auto', 'grub', 'systemd-boot', 'uki'] as const) {
      expect(() => chooseBootloader(system, { bootloader })).toThrow(
        expect.objectContaining({
          code: 'BOOTLOADER_UNSUPPORTED',
          message: expect.stringContaining(missing),
          hint: expect.stringContaining('--bootloader none'),
        }),
      )
    }
    expect(chooseBootloader(system, { bootloader: 'none' }).kind).toBe('none')
  })

  test('takes the programs of riscv64', () => {
    const program = 'usr/lib/systemd/boot/efi/systemd-bootriscv64.efi'
    const choice = chooseBootloader(installedSystem({ [program]: 'riscv' }, { architecture: 'riscv64' }))
    expect(choice.files.map(({ target }) => target)).toEqual([
      'EFI/BOOT/BOOTRISCV64.EFI',
      'EFI/systemd/systemd-bootriscv64.efi',
    ])
  })

  test('sectors of 4096 bytes: nothing for a BIOS, which is an error where one was asked for', () => {
    const bios = { 'usr/lib/grub/i386-pc/kernel.img': '', 'usr/lib/grub/i386-pc/boot.img': '' }
    const system = installedSystem({ ...SHIM_AND_GRUB, ...bios })
    expect(chooseBootloader(system, { sectorSize: 4096 })).not.toHaveProperty('bios')
    expect(() => chooseBootloader(system, { sectorSize: 4096, firmware: ['bios', 'uefi'] })).toThrow(
      'a BIOS was asked for, but it starts no disk with sectors of 4096 bytes',
    )
  })

  test.each([
    ['a directory that is there', { 'boot/grub/fonts/unicode.pf2': '' }, {}, 'grub'],
    ['the tools', { 'usr/sbin/grub-mkconfig': '' }, {}, 'grub'],
    ['the tools before the distribution', { 'usr/bin/grub2-editenv': '' }, { ID: 'debian' }, 'grub2'],
    ['the distribution', {}, { ID: 'mint', ID_LIKE: 'ubuntu debian' }, 'grub'],
    ['nothing', {}, {}, 'grub2'],
  ] as const)("GRUB's directory follows %s", (_, files, osRelease, directory) => {
    const system = installedSystem({ ...SHIM_AND_GRUB, ...files }, { osRelease })
    expect(chooseBootloader(system)).toMatchObject({ kind: 'grub', directory })
  })

  test('every source of a choice is a file of the image', () => {
    const system = installedSystem(SHIM_AND_GRUB)
    for (const { source } of chooseBootloader(system).files) {
      expect(findFile(system.sysroot, source), source).toBeDefined()
    }
  })
})
