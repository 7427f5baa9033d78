import { installBootloader, readBootEntries } from '@bootable/bootloader'
import { findFile } from '@bootable/tree'
import { expect, test } from 'vitest'
import { entryFileName } from '../../src/systemd-boot/boot-counting.ts'
import { BOOT, CLOCK, ESP, installedSystem, ROOT, SYSTEMD_BOOT } from '../system.ts'

const clock = CLOCK

test('entries and kernels go to a boot filesystem that is FAT, settings to the EFI system partition', async () => {
  const { sysroot, ...system } = installedSystem(SYSTEMD_BOOT)
  await installBootloader({ sysroot, ...system }, [ROOT, { ...BOOT, type: 'vfat' }, ESP], { clock, tries: 2 })
  const found = (path: string): boolean => findFile(sysroot, path) !== undefined
  expect(
    [
      'boot/loader/entries/fedora-6.1.0+2.conf',
      'boot/loader/entries.srel',
      'boot/fedora/6.1.0/linux',
      'boot/efi/loader/loader.conf',
      'boot/efi/EFI/systemd/systemd-bootx64.efi',
    ].filter((path) => !found(path)),
  ).toEqual([])
  expect(found('boot/efi/loader/entries.srel')).toBe(false)
  const [entry] = await readBootEntries(sysroot)
  expect(entry).toMatchObject({ linux: '/fedora/6.1.0/linux', version: '6.1.0' })
})

test('the sort key is that of the image, else of the distribution', async () => {
  const sortKey = async (osRelease: Record<string, string>): Promise<unknown> => {
    const system = installedSystem(SYSTEMD_BOOT, { osRelease })
    await installBootloader(system, [ROOT, ESP], { clock })
    return (await readBootEntries(system.sysroot))[0]?.other['sort-key']
  }
  expect(await sortKey({ ID: 'debian', IMAGE_ID: 'appliance' })).toEqual(['appliance'])
  expect(await sortKey({ ID: 'debian', IMAGE_ID: 'an appliance' })).toEqual(['debian'])
  expect(await sortKey({})).toEqual(['linux'])
})

test.each([
  ['debian-6.1.0', undefined, 'debian-6.1.0.conf'],
  ['debian-6.12.1+deb13-amd64', undefined, 'debian-6.12.1+deb13-amd64.conf'],
  ['debian-6.1.0+3', undefined, 'debian-6.1.0_3.conf'],
  ['debian-6.1.0+3-1', undefined, 'debian-6.1.0_3-1.conf'],
  ['debian-6.1.0+3', 5, 'debian-6.1.0+3+5.conf'],
])('the entry %s with %s tries is the file %s', (id, tries, name) => {
  expect(entryFileName(id, '.conf', tries)).toBe(name)
})

test.each([0, -1, 1.5])('%s tries are none', (tries) => {
  expect(() => entryFileName('x', '.conf', tries)).toThrow(`${tries} is no number of tries`)
})
