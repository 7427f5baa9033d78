import { createHash } from 'node:crypto'
import { installBootloader } from '@bootable/bootloader'
import { decodeUtf8, FormatError, readAll, utf8 } from '@bootable/bytes'
import { createFile, findFile, putInode } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { BOOTUPD_PIECES, CLOCK, ESP, installedSystem, ostreeSystem, ROOT, SHIM_AND_GRUB } from '../system.ts'

const EFI_META = '{"timestamp":"2025-06-15T15:06:40+00:00","version":"shim-15.8,grub2-2.12"}'
const METADATA = { 'usr/lib/bootupd/updates/EFI.json': EFI_META }
const sha512 = (text: string): string => `sha512:${createHash('sha512').update(text).digest('hex')}`

async function stateOf(system: ReturnType<typeof installedSystem>): Promise<string | undefined> {
  await installBootloader(system, [ROOT, ESP], { clock: CLOCK })
  const file = findFile(system.sysroot, 'boot/bootupd-state.json')
  return file && decodeUtf8(await readAll(file.content))
}

describe('bootupd-state.json', () => {
  test('is what bootupd would have written', async () => {
    const system = ostreeSystem({ ...BOOTUPD_PIECES, ...METADATA })
    const program = createFile('bootupd', { mtime: { seconds: 1_700_000_000, nanoseconds: 0 } })
    putInode(system.root, 'usr/libexec/bootupd', program)
    const file = (text: string): string => `{"size":${utf8(text).length},"sha512":"${sha512(text)}"}`
    const children = [
      `"BOOT/BOOTX64.EFI":${file('shim')}`,
      `"fedora/BOOTX64.CSV":${file('csv')}`,
      `"fedora/grubx64.efi":${file('MZ… bblscfg\0…')}`,
      `"fedora/mmx64.efi":${file('mok manager')}`,
      `"fedora/shimx64.efi":${file('shim')}`,
    ].join(',')
    expect(await stateOf(system)).toBe(
      '{"installed":{"EFI":{"meta":{"timestamp":"2025-06-15T15:06:40+00:00","version":"shim-15.8,grub2-2.12",' +
        `"versions":null},"filetree":{"children":{${children}}},"adopted-from":null}},"pending":null,` +
        '"static-configs":{"timestamp":"2023-11-14T22:13:20Z","version":"unknown","versions":null}}',
    )
    expect(findFile(system.sysroot, 'boot/bootupd-state.json')).toMatchObject({ mode: 0o644 })
  })

  test('names where the files of components are from, and keeps their versions', async () => {
    const versions = '"versions":[{"name":"shim","rpm_evr":"15.8-3"}]'
    const state = await stateOf(
      installedSystem({
        'usr/lib/bootupd/updates/EFI.json': `{${versions},"version":"1","timestamp":"2025-01-01T00:00:00Z"}`,
        'usr/lib/efi/shim/15.8-3/EFI/fedora/shimx64.efi': 'shim',
      }),
    )
    expect(state).toContain(`"meta":{"timestamp":"2025-01-01T00:00:00Z","version":"1",${versions}}`)
    expect(state).toContain(
      '{"children":{"fedora/shimx64.efi":{"source":"shim/15.8-3/EFI/fedora/shimx64.efi"',
    )
    expect(state).toContain('"static-configs":null')
  })

  test('is left out where the image has no metadata', async () => {
    expect(await stateOf(installedSystem(SHIM_AND_GRUB))).toBeUndefined()
  })

  test.each(['', '[]', '{"version":"1"}', '{"timestamp":1,"version":"1"}'])('refuses %j', async (text) => {
    const system = installedSystem({ ...SHIM_AND_GRUB, 'usr/lib/bootupd/updates/EFI.json': text })
    await expect(stateOf(system)).rejects.toThrow(FormatError)
  })
})
