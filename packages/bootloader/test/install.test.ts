import { installBootloader, readBootEntries } from '@bootable/bootloader'
import { decodeUtf8, readAll } from '@bootable/bytes'
import { createFile, type FileTree, findFile, putInode, walkTree } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import {
  BOOT,
  BTRFS_ROOT,
  CLOCK,
  ESP,
  installedSystem,
  kernelTree,
  ROOT,
  SHIM_AND_GRUB,
  SYSTEMD_BOOT,
} from './system.ts'

const clock = CLOCK

async function text(tree: FileTree, path: string): Promise<string> {
  const file = findFile(tree, path)
  if (!file) throw new Error(`no file ${path}`)
  return decodeUtf8(await readAll(file.content)) as string
}

/** What stands below /boot, with contents. */
async function bootFiles(tree: FileTree): Promise<string> {
  const parts: string[] = []
  for (const { path, inode } of walkTree(tree)) {
    if (inode.type !== 'file' || !path.startsWith('boot/')) continue
    parts.push(`=== /${path} ${inode.mode.toString(8)}\n${(await text(tree, path)).trimEnd()}\n`)
  }
  return parts.join('\n')
}

describe('installBootloader with GRUB', () => {
  test('writes programs, stubs, menu, entry and kernel', async () => {
    const system = installedSystem(SHIM_AND_GRUB)
    await installBootloader(system, [ROOT, BOOT, ESP], { clock })
    await expect(await bootFiles(system.sysroot)).toMatchFileSnapshot('golden/grub.txt')
  })

  test('finds the kernel on the root filesystem', async () => {
    const system = installedSystem(SHIM_AND_GRUB)
    await installBootloader(system, [ROOT, ESP], { clock })
    expect(await text(system.sysroot, 'boot/efi/EFI/BOOT/grub.cfg')).toBe(
      `search --no-floppy --fs-uuid --set=root ${ROOT.uuid}
set prefix=($root)/boot/grub2
configfile $prefix/grub.cfg
`,
    )
    const [entry] = await readBootEntries(system.sysroot)
    expect(entry).toMatchObject({ linux: '/boot/vmlinuz-6.1.0', initrd: ['/boot/initramfs-6.1.0.img'] })
  })

  test('goes through the subvolume of a btrfs root', async () => {
    const system = installedSystem(SHIM_AND_GRUB)
    await installBootloader(system, [BTRFS_ROOT, ESP], { clock })
    expect(await text(system.sysroot, 'boot/grub2/grub.cfg')).toContain('linux /root/boot/vmlinuz-6.1.0 ')
  })

  test('leaves terminals that were asked for beside the menu, which reads them', async () => {
    const system = installedSystem(SHIM_AND_GRUB)
    const grubConsole = { terminalOutput: ['serial'], serial: 'serial --unit=1 --speed=9600' }
    const { warnings } = await installBootloader(system, [ROOT, ESP], { clock, grubConsole })
    expect(warnings).toEqual([])
    expect(await text(system.sysroot, 'boot/grub2/console.cfg')).toBe(
      'serial --unit=1 --speed=9600\nterminal_output serial\n',
    )
    expect(await text(system.sysroot, 'boot/grub2/grub.cfg')).toContain('\nsource $prefix/console.cfg\n')
  })

  test('a system without initramfs has none in its menu', async () => {
    const { initramfs: _, ...kernel } = installedSystem({}).kernel
    const system = installedSystem(SHIM_AND_GRUB, { kernel })
    await installBootloader(system, [ROOT, ESP], { clock })
    expect(await bootFiles(system.sysroot)).not.toContain('initr')
  })

  test('replaces what the image has on the partition in another spelling', async () => {
    const system = installedSystem({ ...SHIM_AND_GRUB, 'boot/efi/efi/Boot/bootx64.efi': 'old' })
    await installBootloader(system, [ROOT, ESP], { clock })
    expect(await text(system.sysroot, 'boot/efi/efi/Boot/bootx64.efi')).toBe('shim')
    const folded = [...walkTree(system.sysroot)].map(({ path }) => path.toLowerCase())
    expect(new Set(folded).size).toBe(folded.length)
  })
})

describe('installBootloader with systemd-boot', () => {
  test('says that terminals for GRUB are ignored', async () => {
    const system = installedSystem(SYSTEMD_BOOT)
    const options = { clock, grubConsole: { terminalInput: ['serial'] } }
    const { warnings } = await installBootloader(system, [ROOT, BOOT, ESP], options)
    expect(warnings).toEqual([
      { message: expect.stringMatching(/for GRUB, but the boot loader is systemd-boot: they are ignored/) },
    ])
  })

  test('writes everything on the EFI system partition', async () => {
    const system = installedSystem(SYSTEMD_BOOT)
    await installBootloader(system, [ROOT, BOOT, ESP], { clock, timeout: 0 })
    await expect(await bootFiles(system.sysroot)).toMatchFileSnapshot('golden/systemd-boot.txt')
  })

  test.each(['/efi', '/boot'])('finds the partition at %s', async (path) => {
    const system = installedSystem(SYSTEMD_BOOT)
    await installBootloader(system, [ROOT, { ...ESP, path }], { clock })
    expect(findFile(system.sysroot, `${path}/EFI/BOOT/BOOTX64.EFI`)).toBeDefined()
  })
})

describe('installBootloader', () => {
  test('shares contents and gives everything that it makes one time', async () => {
    const system = installedSystem(SHIM_AND_GRUB)
    await installBootloader(system, [ROOT, ESP], { clock })
    const { kernel, sysroot } = system
    expect(findFile(sysroot, 'boot/vmlinuz-6.1.0')?.content).toBe(findFile(sysroot, kernel.vmlinuz)?.content)
    for (const { path, inode } of walkTree(sysroot)) {
      if (path.startsWith('boot')) expect(inode.mtime, path).toEqual(CLOCK)
    }
  })

  test('does nothing where no boot loader is wanted', async () => {
    const system = installedSystem({})
    const before = [...walkTree(system.sysroot)].length
    await installBootloader(system, [], { clock, bootloader: 'none' })
    expect([...walkTree(system.sysroot)]).toHaveLength(before)
  })

  test('needs an EFI system partition', async () => {
    const installing = installBootloader(installedSystem(SYSTEMD_BOOT), [ROOT, BOOT], { clock })
    await expect(installing).rejects.toMatchObject({
      code: 'BOOTLOADER_NO_ESP',
      details: { mounts: ['/ (ext4)', '/boot (ext4)'] },
    })
  })

  test('refuses a kernel that is not there, or whose version is no file name', async () => {
    const install = (version: string, vmlinuz: string): Promise<unknown> =>
      installBootloader(installedSystem(SYSTEMD_BOOT, { kernel: { version, vmlinuz } }), [ROOT, ESP], {
        clock,
      })
    await expect(install('6.1.0', 'nowhere')).rejects.toMatchObject({ code: 'BOOTLOADER_NO_KERNEL' })
    for (const version of ['6.1\n', 'a b', 'a/b', '']) {
      await expect(install(version, 'x')).rejects.toMatchObject({ code: 'BOOTLOADER_TEXT_INVALID' })
    }
  })

  test('leaves control characters of os-release out of the title, and odd ids out of paths', async () => {
    const osRelease = { ID: '../x', PRETTY_NAME: 'a\nlinux /evil' }
    const system = installedSystem(SYSTEMD_BOOT, { osRelease })
    await installBootloader(system, [ROOT, ESP], { clock })
    const [entry] = await readBootEntries(system.sysroot)
    expect(entry).toMatchObject({ id: 'linux-6.1.0', title: 'a linux /evil', linux: '/linux/6.1.0/linux' })
  })

  test('refuses a kernel argument with a line break', async () => {
    const system = installedSystem(SYSTEMD_BOOT, { kernelArguments: ['x="a\ninitrd /evil"'] })
    await expect(installBootloader(system, [ROOT, ESP], { clock })).rejects.toMatchObject({
      code: 'BOOTLOADER_TEXT_INVALID',
    })
  })

  test('stops when it is cancelled', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    const installing = installBootloader(installedSystem(SYSTEMD_BOOT), [ROOT, ESP], { clock, signal })
    await expect(installing).rejects.toThrow('enough')
  })

  test('gives the same files twice', async () => {
    const files = async (order: 1 | -1): Promise<string> => {
      const shuffled = Object.entries(SHIM_AND_GRUB).sort(([a], [b]) => (a < b ? -order : order))
      const sysroot = kernelTree({})
      for (const [path, content] of shuffled) putInode(sysroot, path, createFile(content))
      await installBootloader(installedSystem({}, { sysroot }), [ROOT, ESP], { clock })
      return bootFiles(sysroot)
    }
    expect(await files(1)).toBe(await files(-1))
  })
})
