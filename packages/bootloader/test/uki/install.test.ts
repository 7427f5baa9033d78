import { chooseBootloader, installBootloader, readUki, writeUki } from '@bootable/bootloader'
import { memorySource, type ProgressEvent, readAll, utf8 } from '@bootable/bytes'
import type { InstalledSystem, MountPoint } from '@bootable/system'
import { createFile, findFile, putInode, walkTree } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { makeProgram } from '../pe/program.ts'
import { BOOT, CLOCK, ESP, installedSystem, ROOT, SHIM_AND_GRUB, SYSTEMD_BOOT } from '../system.ts'

const STUB_PATH = 'usr/lib/systemd/boot/efi/linuxx64.efi.stub'
const STUB = makeProgram({ sections: { '.text': new Uint8Array(99) }, sizeOfHeaders: 0x600 })
const KERNEL = makeProgram()
const OS_RELEASE = 'ID=fedora\nPRETTY_NAME="Fedora 42"\n'
const SHIPPED = 'boot/EFI/Linux/vendor-6.1.efi'

/** A system whose kernel and stub are EFI programs. */
function system(
  files: Readonly<Record<string, string>> = {},
  given: Partial<InstalledSystem> = {},
): InstalledSystem {
  const made = installedSystem({ 'usr/lib/os-release': OS_RELEASE, ...files }, given)
  putInode(made.sysroot, STUB_PATH, createFile(STUB))
  putInode(made.sysroot, 'usr/lib/modules/6.1.0/vmlinuz', createFile(KERNEL))
  return made
}

async function shippedUki(commandLine: string, kernel = KERNEL, stub = STUB): Promise<Uint8Array> {
  const parts = { stub: memorySource(stub), kernel: memorySource(kernel) }
  return readAll(await writeUki({ ...parts, commandLine, osRelease: memorySource(utf8(OS_RELEASE)) }))
}

/** A system that carries a unified kernel image. */
async function sealed(
  files: Readonly<Record<string, string>> = {},
  uki?: Uint8Array,
): Promise<InstalledSystem> {
  const kernel = { version: '6.1.0', vmlinuz: SHIPPED, uki: SHIPPED }
  const made = system(files, { kernel, kernelArguments: [] })
  putInode(made.sysroot, SHIPPED, createFile(uki ?? (await shippedUki(`root=UUID=${ROOT.uuid} sealed`))))
  return made
}

const programs = ({ sysroot }: InstalledSystem, below = 'boot/efi/'): string[] =>
  [...walkTree(sysroot)].flatMap(({ path, inode }) =>
    inode.type === 'file' && path.startsWith(below) ? [path.slice(below.length)] : [],
  )

const XBOOTLDR: MountPoint = { ...BOOT, type: 'vfat' }
const MOUNTS = [ROOT, BOOT, ESP]
const clock = CLOCK

describe('a unified kernel image that is made', () => {
  const bootloader = 'uki'

  test('is started by the firmware where there is no boot loader', async () => {
    const made = system(SHIM_AND_GRUB)
    const { reason, commandLine } = await installBootloader(made, MOUNTS, { clock, bootloader })
    expect(reason).toBe(
      `A unified kernel image is made of the kernel and /${STUB_PATH} and it was asked for; the firmware starts it without a boot loader. It is not signed.`,
    )
    expect(programs(made)).toEqual(['EFI/BOOT/BOOTX64.EFI', 'EFI/Linux/fedora-6.1.0.efi'])
    const file = findFile(made.sysroot, 'boot/efi/EFI/BOOT/BOOTX64.EFI')
    expect(file?.content).toBe(findFile(made.sysroot, 'boot/efi/EFI/Linux/fedora-6.1.0.efi')?.content)
    expect(file && (await readUki(file.content))).toMatchObject({
      commandLine: `root=UUID=${ROOT.uuid} rw console=tty0 console=ttyS0`,
      osRelease: { PRETTY_NAME: 'Fedora 42' },
      uname: '6.1.0',
    })
    expect(commandLine).toBe(`root=UUID=${ROOT.uuid} rw console=tty0 console=ttyS0`)
  })

  test('stands in the menu of systemd-boot, with tries if that is asked for', async () => {
    const made = system(SYSTEMD_BOOT)
    await installBootloader(made, MOUNTS, { clock, bootloader, tries: 3 })
    expect(programs(made)).toEqual([
      'EFI/BOOT/BOOTX64.EFI',
      'EFI/Linux/fedora-6.1.0+3.efi',
      'EFI/systemd/systemd-bootx64.efi',
      'loader/entries.srel',
      'loader/loader.conf',
    ])
  })

  test('goes to a boot filesystem that is FAT', async () => {
    const made = system(SYSTEMD_BOOT)
    await installBootloader(made, [ROOT, XBOOTLDR, { ...ESP, path: '/efi' }], { clock, bootloader })
    expect(findFile(made.sysroot, 'boot/EFI/Linux/fedora-6.1.0.efi')).toBeDefined()
    expect(programs(made, 'efi/').filter((path) => path.startsWith('EFI/Linux'))).toEqual([])
  })

  test('goes nowhere below the directory on which a partition is mounted', async () => {
    const made = system(SYSTEMD_BOOT)
    await installBootloader(made, [ROOT, XBOOTLDR, ESP], { clock, bootloader })
    expect(programs(made)).toContain('EFI/Linux/fedora-6.1.0.efi')
  })

  test('needs a stub, and a kernel that is an EFI program', async () => {
    const kernelOnly = installedSystem(SHIM_AND_GRUB)
    expect(() => chooseBootloader(kernelOnly, { bootloader })).toThrow(
      expect.objectContaining({
        code: 'BOOTLOADER_MISSING',
        details: expect.objectContaining({ places: [`/${STUB_PATH}`] }),
      }),
    )
    const made = system()
    putInode(made.sysroot, 'usr/lib/modules/6.1.0/vmlinuz', createFile('kernel'))
    await expect(installBootloader(made, MOUNTS, { clock, bootloader })).rejects.toMatchObject({
      code: 'BOOTLOADER_UKI_IMPOSSIBLE',
      message: expect.stringContaining('/usr/lib/modules/6.1.0/vmlinuz: PE: '),
    })
  })

  test('starts no deployment of ostree', () => {
    expect(() => chooseBootloader(system({}, { layout: 'ostree' }), { bootloader })).toThrow(
      expect.objectContaining({ code: 'BOOTLOADER_UNSUPPORTED', hint: expect.stringContaining('plain') }),
    )
  })
})

describe('a unified kernel image that is shipped', () => {
  test('is installed as it is, whatever else the image ships', async () => {
    const made = await sealed({ ...SYSTEMD_BOOT, ...SHIM_AND_GRUB })
    const events: ProgressEvent[] = []
    const onProgress = (event: ProgressEvent): void => void events.push(event)
    const { commandLine, kind } = await installBootloader(made, MOUNTS, { clock, onProgress })
    expect([kind, commandLine]).toEqual(['uki', `root=UUID=${ROOT.uuid} sealed`])
    const placed = findFile(made.sysroot, 'boot/efi/EFI/Linux/vendor-6.1.efi')
    expect(placed?.content).toBe(findFile(made.sysroot, SHIPPED)?.content)
    expect(findFile(made.sysroot, 'boot/efi/loader/loader.conf')).toBeDefined()
    expect(events).toEqual([])
  })

  test('lies beside the modules, where that is asked for', async () => {
    const path = 'usr/lib/modules/6.1.0/vmlinuz-virt.efi'
    const made = system()
    putInode(made.sysroot, path, createFile(await shippedUki('root=LABEL=root')))
    expect(chooseBootloader(made, { bootloader: 'uki' })).toMatchObject({
      from: { shipped: path },
      name: 'fedora-6.1.0.efi',
    })
    expect(chooseBootloader(system({ ...SYSTEMD_BOOT, [path]: '' }))).toMatchObject({ kind: 'systemd-boot' })
  })

  test.each([
    ['quiet', 'has no root=;'],
    ['root=UUID=1', 'says root=UUID=1;'],
  ])('with the command line %j comes with a warning', async (line, words) => {
    const events: ProgressEvent[] = []
    const onProgress = (event: ProgressEvent): void => void events.push(event)
    await installBootloader(await sealed({}, await shippedUki(line)), MOUNTS, { clock, onProgress })
    expect(events).toEqual([
      expect.objectContaining({ type: 'warning', message: expect.stringContaining(words) }),
    ])
  })

  test('is not started by GRUB, nor by a systemd-boot that is not there', async () => {
    const made = await sealed(SHIM_AND_GRUB)
    expect(() => chooseBootloader(made, { bootloader: 'grub' })).toThrow('which GRUB is not set up to start')
    expect(() => chooseBootloader(made, { bootloader: 'systemd-boot' })).toThrow('ships no systemd-boot')
  })

  test('has to be one, for that processor', async () => {
    const install = async (uki: Uint8Array): Promise<unknown> =>
      installBootloader(await sealed({}, uki), MOUNTS, { clock })
    const code = 'BOOTLOADER_UKI_IMPOSSIBLE'
    await expect(install(utf8('none'))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(SHIPPED),
    })
    const machine = 0xaa64
    const arm = await shippedUki('', makeProgram({ machine }), makeProgram({ machine, sizeOfHeaders: 0x600 }))
    await expect(install(arm)).rejects.toMatchObject({ code, message: expect.stringContaining('0xaa64') })
  })
})
