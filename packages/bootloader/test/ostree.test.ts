import { installBootloader, readBootEntries } from '@bootable/bootloader'
import { decodeUtf8, readAll } from '@bootable/bytes'
import {
  createFile,
  createSymlink,
  type FileTree,
  findFile,
  lookup,
  putInode,
  walkTree,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { BOOT, BOOTUPD_PIECES, BTRFS_ROOT, CLOCK, ESP, ostreeSystem, ROOT, SHIM_AND_GRUB } from './system.ts'

const clock = CLOCK

async function text(tree: FileTree, path: string): Promise<string> {
  const file = findFile(tree, path)
  if (!file) throw new Error(`no file ${path}`)
  return decodeUtf8(await readAll(file.content)) as string
}

function paths(tree: FileTree): string[] {
  return [...walkTree(tree)].filter(({ inode }) => inode.type === 'file').map(({ path }) => path)
}

describe('a deployment of ostree', () => {
  test('gets its entry, in the order of ostree, and no kernel besides', async () => {
    const system = ostreeSystem(SHIM_AND_GRUB)
    putInode(system.sysroot, 'boot/loader', createSymlink('loader.1'))
    await installBootloader(system, [ROOT, BOOT, ESP], { clock })
    expect(await text(system.sysroot, 'boot/loader/entries/ostree-1.conf')).toBe(`\
title Alice Linux 42 (ostree:0)
version 1
options root=UUID=${ROOT.uuid} rw boot=UUID=${BOOT.uuid} console=tty0 console=ttyS0 a="b c" ostree=/ostree/boot.1/default/${'ab'.repeat(32)}/0
linux /boot/ostree/default-${'ab'.repeat(32)}/vmlinuz-6.1.0
initrd /boot/ostree/default-${'ab'.repeat(32)}/initramfs-6.1.0.img
`)
    expect(lookup(system.sysroot, 'boot/loader')?.type).toBe('symlink')
    expect(paths(system.sysroot).filter((path) => !path.startsWith('boot/efi/'))).toEqual([
      'boot/grub2/bootuuid.cfg',
      'boot/grub2/grub.cfg',
      'boot/loader.1/entries/ostree-1.conf',
    ])
  })

  test('gets it also without a boot loader', async () => {
    const system = ostreeSystem({})
    await installBootloader(system, [ROOT], { clock, bootloader: 'none' })
    expect(await readBootEntries(system.sysroot)).toEqual([])
    expect(paths(system.sysroot)).toEqual(['boot/loader.1/entries/ostree-1.conf'])
  })

  test('is followed by a menu of its entries', async () => {
    const system = ostreeSystem(SHIM_AND_GRUB)
    await installBootloader(system, [ROOT, BOOT, ESP], { clock })
    const menu = await text(system.sysroot, 'boot/grub2/grub.cfg')
    await expect(menu).toMatchFileSnapshot('golden/grub-entries.txt')
  })

  test.each([
    ['/boot', [ROOT, ESP]],
    ['/root/boot', [BTRFS_ROOT, ESP]],
  ])('is found in %s of the root filesystem', async (boot, mounts) => {
    const system = ostreeSystem(BOOTUPD_PIECES)
    // bootupd's own pieces know of no subvolume.
    if (boot === '/boot') putInode(system.root, 'usr/lib/bootupd/grub2-static', createFile(''))
    await installBootloader(system, mounts, { clock })
    const menu = await text(system.sysroot, 'boot/grub2/grub.cfg')
    expect(menu).toContain(`($boot)${boot}/loader/entries/ostree-$number.conf`)
    expect(menu).toContain(`set files=($boot)${boot}/ostree/$stateroot-$checksum`)
    expect(menu).toContain(`  linux ${boot}/ostree/default-${'ab'.repeat(32)}/vmlinuz-6.1.0 `)
    expect(menu.includes('blsuki')).toBe(boot === '/boot')
  })

  test('must not have its boot directory on FAT', async () => {
    const installing = installBootloader(ostreeSystem(SHIM_AND_GRUB), [ROOT, { ...ESP, path: '/boot' }], {
      clock,
    })
    await expect(installing).rejects.toMatchObject({ code: 'BOOTLOADER_NO_ESP' })
  })

  test.each([
    'a;b',
    'a|b',
    'a&b',
    'a<b',
    'a{b}',
    'a=$b',
    'a=\\x2d',
    "a='b'",
    '#a',
    '*',
    '(hd0)/*',
    'a="b',
    'a="$b"',
  ])('cannot have the argument %s, which GRUB would misread', async (argument) => {
    const installing = installBootloader(
      ostreeSystem(SHIM_AND_GRUB, { kernelArguments: [argument] }),
      [ROOT, ESP],
      {
        clock,
      },
    )
    await expect(installing).rejects.toMatchObject({ code: 'BOOTLOADER_TEXT_INVALID' })
  })

  test('may have what GRUB leaves as it is', async () => {
    const kernelArguments = ['a="b;c d"', 'x=* y=a?c z=[b] (a) a#b p!q ! ~x @y %z ^w t=`a`']
    const system = ostreeSystem(SHIM_AND_GRUB, { kernelArguments })
    await installBootloader(system, [ROOT, ESP], { clock })
    expect(await text(system.sysroot, 'boot/loader.1/entries/ostree-1.conf')).toContain(
      ` ${kernelArguments.join(' ')} ostree=`,
    )
  })

  test('cannot have a title that swallows the lines after it', async () => {
    const system = ostreeSystem(SHIM_AND_GRUB)
    const bootEntry = { ...(system.bootEntry as NonNullable<typeof system.bootEntry>), title: "Alice's" }
    const installing = installBootloader({ ...system, bootEntry }, [ROOT, ESP], { clock })
    await expect(installing).rejects.toMatchObject({ code: 'BOOTLOADER_TEXT_INVALID' })
  })
})

describe('a deployment with the pieces of bootupd', () => {
  test('has the configuration that bootupd would write', async () => {
    const system = ostreeSystem(BOOTUPD_PIECES)
    await installBootloader(system, [ROOT, BOOT, ESP], { clock })
    const { sysroot } = system
    expect(await text(sysroot, 'boot/grub2/grub.cfg')).toBe(`\
# Generated by bootupd / do not edit

set root=$boot

### BEGIN 10_blscfg.cfg ###
blscfg
### END 10_blscfg.cfg ###

### BEGIN 41_custom.cfg ###
source $prefix/custom.cfg
### END 41_custom.cfg ###
`)
    const uuid = `set BOOT_UUID="${BOOT.uuid}"\n`
    const stub = BOOTUPD_PIECES['usr/lib/bootupd/grub2-static/grub-static-efi.cfg']
    expect(await text(sysroot, 'boot/grub2/bootuuid.cfg')).toBe(uuid)
    for (const name of ['BOOT', 'fedora']) {
      expect(await text(sysroot, `boot/efi/EFI/${name}/grub.cfg`)).toBe(stub)
      expect(await text(sysroot, `boot/efi/EFI/${name}/bootuuid.cfg`)).toBe(uuid)
    }
    const environment = await text(sysroot, 'boot/grub2/grubenv')
    expect(environment).toHaveLength(1024)
    expect(environment).toMatch(/^# GRUB Environment Block\n# WARNING: .*!!!\n#+$/)
    const modes = ['', '/grub.cfg', '/bootuuid.cfg', '/grubenv'].map(
      (name) => lookup(sysroot, `boot/grub2${name}`)?.mode,
    )
    expect(modes).toEqual([0o700, 0o600, 0o600, 0o600])
  })

  test('has our own where its GRUB does not know blscfg', async () => {
    const grub = { 'usr/lib/bootupd/updates/EFI/fedora/grubx64.efi': 'MZ… blscfx' }
    const system = ostreeSystem({ ...BOOTUPD_PIECES, ...grub })
    await installBootloader(system, [ROOT, BOOT, ESP], { clock })
    expect(await text(system.sysroot, 'boot/grub2/grub.cfg')).toContain('function options {')
  })

  test('may use variables of GRUB in its arguments', async () => {
    const system = ostreeSystem(BOOTUPD_PIECES, { kernelArguments: ['$ignition_firstboot'] })
    await installBootloader(system, [ROOT, BOOT, ESP], { clock })
    expect(await text(system.sysroot, 'boot/loader.1/entries/ostree-1.conf')).toContain(
      ' $ignition_firstboot ',
    )
  })

  test('refuses a piece that is no text', async () => {
    const system = ostreeSystem(BOOTUPD_PIECES)
    const file = createFile(Uint8Array.of(0xff))
    putInode(system.root, 'usr/lib/bootupd/grub2-static/grub-static-pre.cfg', file)
    const installing = installBootloader(system, [ROOT, BOOT, ESP], { clock })
    await expect(installing).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
  })
})
