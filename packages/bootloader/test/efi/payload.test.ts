import { chooseBootloader } from '@bootable/bootloader'
import { createSymlink, putInode } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { efiNames } from '../../src/efi/names.ts'
import { findGrubPayload } from '../../src/efi/payload.ts'
import { compareVersions } from '../../src/efi/versions.ts'
import { installedSystem, kernelTree, SHIM_AND_GRUB } from '../system.ts'

const NAMES = efiNames('x86_64')

function payload(files: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const found = findGrubPayload(kernelTree(files), NAMES)
  return found && Object.fromEntries(found.files.map(({ target, source }) => [target, source]))
}

describe('findGrubPayload', () => {
  const updates = 'usr/lib/bootupd/updates/EFI'

  test('puts GRUB beside shim in EFI/BOOT and leaves the fallback program out there', () => {
    expect(payload(SHIM_AND_GRUB)).toEqual({
      'EFI/BOOT/BOOTX64.EFI': `${updates}/BOOT/BOOTX64.EFI`,
      'EFI/BOOT/grubx64.efi': `${updates}/fedora/grubx64.efi`,
      'EFI/BOOT/mmx64.efi': `${updates}/fedora/mmx64.efi`,
      'EFI/fedora/BOOTX64.CSV': `${updates}/fedora/BOOTX64.CSV`,
      'EFI/fedora/grubx64.efi': `${updates}/fedora/grubx64.efi`,
      'EFI/fedora/mmx64.efi': `${updates}/fedora/mmx64.efi`,
      'EFI/fedora/shimx64.efi': `${updates}/fedora/shimx64.efi`,
    })
  })

  test('fills an empty EFI/BOOT with shim, or with GRUB where there is no shim', () => {
    const grub = { [`${updates}/debian/grubx64.efi`]: '' }
    expect(payload({ ...grub, [`${updates}/debian/shimx64.efi`]: '' })).toMatchObject({
      'EFI/BOOT/BOOTX64.EFI': `${updates}/debian/shimx64.efi`,
      'EFI/BOOT/grubx64.efi': `${updates}/debian/grubx64.efi`,
    })
    expect(payload(grub)).toMatchObject({ 'EFI/BOOT/BOOTX64.EFI': `${updates}/debian/grubx64.efi` })
  })

  test('leaves EFI/BOOT to shim and its fallback program where that is asked for', () => {
    const found = findGrubPayload(kernelTree(SHIM_AND_GRUB), NAMES, { fallback: true })
    expect(found?.files.map(({ target }) => target)).toEqual([
      'EFI/BOOT/BOOTX64.EFI',
      'EFI/BOOT/fbx64.efi',
      'EFI/fedora/BOOTX64.CSV',
      'EFI/fedora/grubx64.efi',
      'EFI/fedora/mmx64.efi',
      'EFI/fedora/shimx64.efi',
    ])
    const { 'usr/lib/bootupd/updates/EFI/fedora/BOOTX64.CSV': _, ...others } = SHIM_AND_GRUB
    expect(() => chooseBootloader(installedSystem(others), { fallback: true })).toThrow(
      expect.objectContaining({
        code: 'BOOTLOADER_MISSING',
        message: expect.stringContaining('lacks EFI/fedora/BOOTX64.CSV'),
      }),
    )
  })

  test('lays components over each other, the highest version of each', () => {
    const found = payload({
      ...SHIM_AND_GRUB,
      'usr/lib/efi/shim/15.8-3/EFI/BOOT/BOOTX64.EFI': '',
      'usr/lib/efi/shim/15.8-3/EFI/fedora/shimx64.efi': '',
      'usr/lib/efi/grub2/2.12-9/EFI/fedora/grubx64.efi': '',
      'usr/lib/efi/grub2/2.12-10/EFI/fedora/grubx64.efi': '',
    })
    expect(found).toEqual({
      'EFI/BOOT/BOOTX64.EFI': 'usr/lib/efi/shim/15.8-3/EFI/BOOT/BOOTX64.EFI',
      'EFI/BOOT/grubx64.efi': 'usr/lib/efi/grub2/2.12-10/EFI/fedora/grubx64.efi',
      'EFI/fedora/grubx64.efi': 'usr/lib/efi/grub2/2.12-10/EFI/fedora/grubx64.efi',
      'EFI/fedora/shimx64.efi': 'usr/lib/efi/shim/15.8-3/EFI/fedora/shimx64.efi',
    })
  })

  test('passes over a place that has nothing for this architecture', () => {
    const found = payload({ ...SHIM_AND_GRUB, 'usr/lib/efi/shim/1/EFI/fedora/shimaa64.efi': '' })
    expect(found).toHaveProperty(['EFI/fedora/shimx64.efi'])
    expect(payload({ 'usr/lib/efi/shim/1/EFI/fedora/shimaa64.efi': '' })).toBeUndefined()
  })

  test('takes a payload that has EFI/BOOT and nothing else', () => {
    const files = { [`${updates}/BOOT/BOOTX64.EFI`]: '', [`${updates}/BOOT/grubx64.efi`]: '' }
    expect(Object.keys(payload(files) ?? {})).toEqual(['EFI/BOOT/BOOTX64.EFI', 'EFI/BOOT/grubx64.efi'])
  })

  test('follows links to files and drops the others', () => {
    const tree = kernelTree(SHIM_AND_GRUB)
    putInode(tree, `${updates}/fedora/shim.efi`, createSymlink('shimx64.efi'))
    putInode(tree, `${updates}/fedora/broken.efi`, createSymlink('../../../../../../../../nowhere'))
    const targets = findGrubPayload(tree, NAMES)?.files.map(({ target }) => target)
    expect(targets).toContain('EFI/fedora/shim.efi')
    expect(targets).not.toContain('EFI/fedora/broken.efi')
  })
})

test('versions are ordered by their numbers', () => {
  const versions = ['2.12-10', '2.12', '2.06', '15.8', '2.12-9', '2.12~rc1']
  expect(versions.sort(compareVersions)).toEqual(['2.06', '2.12', '2.12-9', '2.12-10', '2.12~rc1', '15.8'])
})
