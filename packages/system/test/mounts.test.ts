import { lookup } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import type { InstalledSystem } from '../src/index.ts'
import { mergeFstab, mountUnit, sysrootPath, writeMounts } from '../src/index.ts'
import { CLOCK, textOf, treeOf } from './image.ts'
import { BTRFS, EFI, ROOT, SWAP, XBOOTLDR } from './mount-points.ts'

function system(layout: InstalledSystem['layout'], files: Record<string, string> = {}): InstalledSystem {
  const sysroot = treeOf(files)
  return {
    sysroot,
    root: sysroot,
    layout,
    architecture: 'x86_64',
    kernel: { version: '1', vmlinuz: 'vmlinuz' },
    kernelArguments: [],
    osRelease: {},
    installConfiguration: { kargs: [], kargDeletes: [] },
    warnings: [],
  }
}

describe('fstab', () => {
  it('is written by pass and path, tab separated, / writable in the plain layout', async () => {
    const plain = system('plain')
    await writeMounts(plain, [EFI, XBOOTLDR, ROOT, SWAP], { clock: CLOCK })
    expect(await textOf(plain.sysroot, 'etc/fstab')).toBe(
      'UUID=6264d520-3fb9-423f-8ab8-7a0a8e3d3562\t/\text4\tdefaults\t0\t0\n' +
        'UUID=cb07c243-bc44-4717-853e-28852021225b\t/boot\text4\tdefaults\t0\t0\n' +
        'UUID=0657fd6d-a4ab-43c4-84e5-0933c84b4f4f\tnone\tswap\tdefaults\t0\t0\n' +
        'UUID=7B77-95E7\t/boot/efi\tvfat\tumask=0077,shortname=winnt\t0\t2\n',
    )
    expect(lookup(plain.sysroot, 'boot/efi')?.type).toBe('directory')
    expect(lookup(plain.sysroot, 'etc/fstab')).toMatchObject({ mode: 0o644, mtime: { seconds: CLOCK } })
  })

  it('keeps the options of a subvolume', async () => {
    const plain = system('plain')
    await writeMounts(plain, [BTRFS], { clock: CLOCK })
    expect(await textOf(plain.sysroot, 'etc/fstab')).toContain('\tsubvol=root,compress=zstd:1\t')
  })

  it('leaves the lines of the image, but for the same places', () => {
    const before =
      '# mine\n\nLABEL=x /boot/ ext4 ro 0 0\ntmpfs /tmp tmpfs size=1G 0 0\n/dev/sda2 none swap sw 0 0\n#/dev/x / ext4\nnfs:/a\\040b /mnt/a nfs'
    expect(mergeFstab(before, [XBOOTLDR])).toBe(
      '# mine\n\ntmpfs /tmp tmpfs size=1G 0 0\n/dev/sda2 none swap sw 0 0\n#/dev/x / ext4\nnfs:/a\\040b /mnt/a nfs\n' +
        `UUID=${XBOOTLDR.uuid}\t/boot\text4\tro\t0\t0\n`,
    )
  })

  it('gives the same text a second time', () => {
    const mounts = [ROOT, { ...XBOOTLDR, path: '/var/with blank' }, SWAP]
    const once = mergeFstab('', mounts)
    expect(once).toContain('/var/with\\040blank')
    expect(mergeFstab(once, mounts)).toBe(once)
  })
})

describe('units', () => {
  it('are what osbuild writes', () => {
    expect(mountUnit(EFI)).toEqual({
      name: 'boot-efi.mount',
      text: `[Unit]
DefaultDependencies=True

[Mount]
What=/dev/disk/by-uuid/7B77-95E7
Where=/boot/efi
Type=vfat
Options=umask=0077,shortname=winnt

[Install]
WantedBy=multi-user.target

`,
    })
    expect(mountUnit(ROOT).name).toBe('-.mount')
    expect(mountUnit({ ...ROOT, path: '/var/.a-b/ü' }).name).toBe('var-.a\\x2db-\\xc3\\xbc.mount')
    // Specifiers (systemd.unit(5)) are looked for in values, not in names of units.
    expect(mountUnit({ ...ROOT, path: '/var/50%' })).toMatchObject({
      name: 'var-50\\x25.mount',
      text: expect.stringContaining('\nWhere=/var/50%%\n'),
    })
    expect(mountUnit(SWAP)).toMatchObject({
      name: 'dev-disk-by\\x2duuid-0657fd6d\\x2da4ab\\x2d43c4\\x2d84e5\\x2d0933c84b4f4f.swap',
      text: expect.stringContaining(
        '[Swap]\nWhat=/dev/disk/by-uuid/0657fd6d-a4ab-43c4-84e5-0933c84b4f4f\nOptions=defaults\n',
      ),
    })
  })

  it('are enabled by a link, / and /boot read-only as ostree has them', async () => {
    const ostree = system('ostree')
    await writeMounts(ostree, [ROOT, XBOOTLDR, EFI], { clock: CLOCK })
    const folder = 'etc/systemd/system'
    expect(await textOf(ostree.sysroot, `${folder}/-.mount`)).toContain('Where=/\nType=ext4\nOptions=ro\n')
    expect(lookup(ostree.sysroot, `${folder}/multi-user.target.wants/boot.mount`)).toMatchObject({
      type: 'symlink',
      target: '/etc/systemd/system/boot.mount',
    })
  })

  it('come with the one line of bootc for a /boot of its own', async () => {
    const ostree = system('ostree', { 'etc/fstab': 'LABEL=x / ext4 defaults 0 1\n' })
    await writeMounts(ostree, [ROOT, XBOOTLDR, EFI], { clock: CLOCK })
    expect(await textOf(ostree.sysroot, 'etc/fstab')).toBe(`UUID=${XBOOTLDR.uuid} /boot auto ro 0 0\n`)
    const whole = system('ostree', { 'etc/fstab': '# mine\n' })
    await writeMounts(whole, [ROOT], { clock: CLOCK })
    expect(await textOf(whole.sysroot, 'etc/fstab')).toBe('# mine\n')
  })

  it('are left out on request', async () => {
    const plain = system('plain')
    await writeMounts(plain, [ROOT], { clock: CLOCK, style: 'none' })
    expect(lookup(plain.sysroot, 'etc')).toBeUndefined()
  })
})

describe('sysrootPath', () => {
  it('knows where /var lies', () => {
    const deployment = { stateroot: 'os', commit: '0', path: 'ostree/deploy/os/deploy/0.0', reference: '' }
    const places = ['/', '/boot', '/var', '/var/log', '/variable']
    expect(places.map((path) => sysrootPath({ deployment }, path))).toEqual([
      '/',
      '/boot',
      '/ostree/deploy/os/var',
      '/ostree/deploy/os/var/log',
      '/variable',
    ])
    expect(sysrootPath({}, '/var')).toBe('/var')
  })
})
