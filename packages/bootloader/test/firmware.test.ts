import { chooseBootloader, type Firmware } from '@bootable/bootloader'
import { describe, expect, test } from 'vitest'
import { BIOS_PLACE } from '../src/grub-bios/platform.ts'
import { installedSystem, ostreeSystem, SHIM_AND_GRUB, SYSTEMD_BOOT } from './system.ts'

const BIOS = { [`${BIOS_PLACE}/kernel.img`]: '' }
const MODULES = { 'usr/lib/grub/x86_64-efi/kernel.img': '' }

const choose = (files: Readonly<Record<string, string>>, ...firmware: Firmware[]) =>
  chooseBootloader(installedSystem(files), { firmware })

describe('firmware that is asked for', () => {
  test('leaves out what was not asked for', () => {
    const both = { ...SHIM_AND_GRUB, ...BIOS }
    expect(choose(both, 'uefi')).not.toHaveProperty('bios')
    expect(choose(both, 'bios')).toMatchObject({ kind: 'grub', files: [], bios: BIOS_PLACE })
    expect(choose(both, 'bios', 'uefi')).toMatchObject({ vendor: 'fedora', bios: BIOS_PLACE })
  })

  test('takes GRUB where systemd-boot does not start on a BIOS', () => {
    expect(choose({ ...SYSTEMD_BOOT, ...BIOS }, 'bios')).toMatchObject({ kind: 'grub', bios: BIOS_PLACE })
    expect(choose({ ...SYSTEMD_BOOT, ...BIOS }, 'uefi').kind).toBe('systemd-boot')
  })

  test('is an error where it cannot be had', () => {
    const missing = (message: string) =>
      expect.objectContaining({ code: 'BOOTLOADER_MISSING', message: expect.stringContaining(message) })
    const unsupported = (message: string) =>
      expect.objectContaining({ code: 'BOOTLOADER_UNSUPPORTED', message: expect.stringContaining(message) })
    expect(() => choose(SHIM_AND_GRUB, 'bios')).toThrow(missing('no GRUB for a BIOS'))
    expect(() => choose(SYSTEMD_BOOT, 'bios')).toThrow(missing('no GRUB for a BIOS'))
    expect(() => choose(BIOS, 'bios', 'uefi')).toThrow(missing('no boot loader for UEFI'))
    expect(() => choose(BIOS, 'uefi')).toThrow(missing('UEFI'))

    const system = installedSystem({ ...SHIM_AND_GRUB, ...BIOS, ...SYSTEMD_BOOT })
    const firmware = ['bios'] as const
    expect(() => chooseBootloader(system, { firmware, sectorSize: 4096 })).toThrow(unsupported('4096 bytes'))
    expect(() => chooseBootloader(system, { firmware, bootloader: 'systemd-boot' })).toThrow(
      unsupported('systemd-boot starts by UEFI alone'),
    )
    const arm = installedSystem(
      { 'usr/lib/bootupd/updates/EFI/debian/grubaa64.efi': '' },
      { architecture: 'aarch64' },
    )
    expect(() => chooseBootloader(arm, { firmware })).toThrow(unsupported('machines of aarch64 have none'))
  })
})

describe('a GRUB for UEFI of modules', () => {
  test('is made where the image ships nothing else', () => {
    expect(chooseBootloader(installedSystem(MODULES))).toMatchObject({
      kind: 'grub',
      files: [],
      efi: 'usr/lib/grub/x86_64-efi',
      reason: expect.stringContaining('nobody has signed'),
    })
    expect(chooseBootloader(installedSystem({ ...MODULES, ...SHIM_AND_GRUB }))).not.toHaveProperty('efi')
    expect(chooseBootloader(installedSystem({ ...MODULES, ...SYSTEMD_BOOT })).kind).toBe('systemd-boot')
    expect(chooseBootloader(ostreeSystem({ ...MODULES, ...SYSTEMD_BOOT }))).toHaveProperty('efi')
  })

  test('is made for x86_64 alone', () => {
    const system = installedSystem({ 'usr/lib/grub/arm64-efi/kernel.img': '' }, { architecture: 'aarch64' })
    expect(() => chooseBootloader(system)).toThrow(expect.objectContaining({ code: 'BOOTLOADER_MISSING' }))
  })
})
