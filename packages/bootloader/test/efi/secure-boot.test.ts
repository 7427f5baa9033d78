import { installBootloader } from '@bootable/bootloader'
import { createFile, putInode } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { makeProgram } from '../pe/program.ts'
import { CLOCK, ESP, installedSystem, kernelTree, ROOT, SYSTEMD_BOOT } from '../system.ts'

const UPDATES = 'usr/lib/bootupd/updates/EFI/debian'
const SHIM = `${UPDATES}/shimx64.efi`
const GRUB = `${UPDATES}/grubx64.efi`
const KERNEL = 'usr/lib/modules/6.1.0/vmlinuz'
const SIGNATURE = { certificates: new Uint8Array(8) }
const OF_GRUB = { sections: { '.text': Uint8Array.of(0xc3), mods: Uint8Array.of(1) } }

async function factsOf(programs: Readonly<Record<string, Uint8Array | string>>) {
  const sysroot = kernelTree({})
  for (const [path, content] of Object.entries(programs)) putInode(sysroot, path, createFile(content))
  const system = installedSystem({}, { sysroot })
  const { secureBoot, warnings } = await installBootloader(system, [ROOT, ESP], {
    clock: CLOCK,
    secureBoot: 'required',
  })
  return { ...secureBoot, warnings: warnings.map(({ message }) => message).join() }
}

describe('the chain of signatures', () => {
  const signed = {
    [SHIM]: makeProgram(SIGNATURE),
    [GRUB]: makeProgram({ ...OF_GRUB, ...SIGNATURE }),
    [KERNEL]: makeProgram(SIGNATURE),
  }

  test('is complete from shim to the kernel', async () => {
    expect(await factsOf(signed)).toEqual({
      chain: 'signed',
      hasShim: true,
      programs: ['EFI/BOOT/BOOTX64.EFI', 'EFI/BOOT/grubx64.efi', `/${KERNEL}`].map((path) => ({
        path,
        isSigned: true,
      })),
      warnings: '',
    })
  })

  test.each([
    ['no signature', makeProgram()],
    ['no EFI stub', 'a kernel of old'],
  ])('ends before a kernel with %s', async (_, kernel) => {
    expect(await factsOf({ ...signed, [KERNEL]: kernel })).toMatchObject({
      chain: 'unsigned-kernel',
      warnings: `Secure Boot is demanded, but the kernel /${KERNEL} is not signed: the boot loader will refuse it`,
    })
  })

  test('ends before a GRUB that is not signed, or has no shim before it', async () => {
    expect(await factsOf({ ...signed, [GRUB]: makeProgram(OF_GRUB) })).toMatchObject({
      chain: 'unsigned',
      warnings: expect.stringContaining('EFI/BOOT/grubx64.efi not signed'),
    })
    const { [SHIM]: _, ...others } = signed
    expect(await factsOf(others)).toMatchObject({
      chain: 'unsigned',
      hasShim: false,
      warnings: expect.stringContaining('GRUB has no shim before it'),
    })
  })

  test('of systemd-boot needs keys in the firmware', async () => {
    const [path] = Object.keys(SYSTEMD_BOOT) as [string]
    const facts = await factsOf({ [path]: makeProgram(SIGNATURE), [KERNEL]: makeProgram(SIGNATURE) })
    expect(facts).toMatchObject({
      chain: 'signed',
      hasShim: false,
      warnings: expect.stringContaining('shim does not stand before it'),
    })
  })

  test('says nothing to those who do not ask', async () => {
    const system = installedSystem(SYSTEMD_BOOT)
    const installed = await installBootloader(system, [ROOT, ESP], { clock: CLOCK })
    expect(installed).toMatchObject({ warnings: [], secureBoot: { chain: 'unsigned' } })
    expect(installed.firmware).toEqual([{ name: 'uefi', from: 'usr/lib/systemd/boot/efi' }])
  })
})
