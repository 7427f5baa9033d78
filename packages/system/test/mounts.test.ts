import { BootableError } from '@bootable/bytes'
import { createFile, createSymlink, lookup, putInode } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import type { InstalledSystem, MountPoint } from '../src/index.ts'
import { checkMountPoints, mergeFstab, mountUnit, sysrootPath, writeMounts } from '../src/index.ts'
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
    expect(mountUnit({ ...ROOT, options: 'subvol=a%b' }).text).toContain('\nOptions=subvol=a%%b\n')
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

const CRYPT = '11111111-0000-4000-8000-000000000000'
const DATA: MountPoint = {
  ...ROOT,
  path: '/var/data',
  options: 'defaults',
  layers: [{ type: 'luks', uuid: '22222222-0000-4000-8000-000000000000' }],
}
const ENCRYPTED = [
  { ...ROOT, layers: [{ type: 'luks', uuid: CRYPT } as const] },
  { ...SWAP, layers: [{ type: 'luks', uuid: CRYPT } as const] },
  DATA,
]

describe('encrypted volumes', () => {
  it('stand in crypttab once each, beside the lines of the image', async () => {
    const plain = system('plain', {
      'etc/crypttab': `# mine\nswap /dev/x /dev/urandom\nluks-${CRYPT} UUID=1 none\n`,
    })
    await writeMounts(plain, ENCRYPTED, { clock: CLOCK })
    expect(await textOf(plain.sysroot, 'etc/crypttab')).toBe(
      '# mine\nswap /dev/x /dev/urandom\n' +
        `luks-${CRYPT}\tUUID=${CRYPT}\tnone\tluks,x-initrd.attach\n` +
        'luks-22222222-0000-4000-8000-000000000000\tUUID=22222222-0000-4000-8000-000000000000\tnone\tluks\n',
    )
    const fresh = system('plain')
    await writeMounts(fresh, ENCRYPTED, { clock: CLOCK })
    expect(lookup(fresh.sysroot, 'etc/crypttab')).toMatchObject({ mode: 0o600, mtime: { seconds: CLOCK } })
    await writeMounts(fresh, [ROOT], { clock: CLOCK, style: 'none' })
    const none = system('plain')
    await writeMounts(none, ENCRYPTED, { clock: CLOCK, style: 'none' })
    expect(lookup(none.sysroot, 'etc')).toBeUndefined()
  })

  it('are waited for while somebody types', async () => {
    const plain = system('plain')
    await writeMounts(plain, ENCRYPTED, { clock: CLOCK })
    expect(await textOf(plain.sysroot, 'etc/fstab')).toContain(
      '\t/var/data\text4\tdefaults,x-systemd.device-timeout=0\t0\t0\n',
    )
    const ostree = system('ostree')
    await writeMounts(ostree, ENCRYPTED, { clock: CLOCK })
    const device = `dev-disk-by\\x2duuid-${DATA.uuid.replaceAll('-', '\\x2d')}.device.d`
    expect(await textOf(ostree.sysroot, `etc/systemd/system/${device}/50-passphrase.conf`)).toBe(
      '[Unit]\nJobRunningTimeoutSec=infinity\n',
    )
  })
})

describe('growing', () => {
  it('is asked for where the image has the program and nobody else remounts the root', async () => {
    const program = { 'usr/lib/systemd/systemd-growfs': '' }
    const plain = system('plain', program)
    await writeMounts(plain, [ROOT, XBOOTLDR], { clock: CLOCK })
    const text = await textOf(plain.sysroot, 'etc/fstab')
    expect(text).toContain('\t/\text4\tdefaults,x-systemd.growfs\t0\t0\n')
    expect(text).toContain('\t/boot\text4\tdefaults\t0\t0\n')
    await writeMounts(plain, [ROOT, XBOOTLDR], { clock: CLOCK })
    expect(await textOf(plain.sysroot, 'etc/fstab')).toBe(text)
    const ostree = system('ostree', program)
    await writeMounts(ostree, [ROOT], { clock: CLOCK })
    expect(await textOf(ostree.sysroot, 'etc/systemd/system/-.mount')).toContain('\nOptions=ro\n')
  })
})

describe('the style fstab', () => {
  it('leaves / out in the ostree layout', async () => {
    const ostree = system('ostree')
    await writeMounts(ostree, [ROOT, XBOOTLDR, EFI], { clock: CLOCK, style: 'fstab' })
    expect(await textOf(ostree.sysroot, 'etc/fstab')).toBe(
      `UUID=${XBOOTLDR.uuid}\t/boot\text4\tro\t0\t0\n` +
        'UUID=7B77-95E7\t/boot/efi\tvfat\tumask=0077,shortname=winnt\t0\t2\n',
    )
    expect(lookup(ostree.sysroot, 'etc/systemd')).toBeUndefined()
  })
})

describe('mount points', () => {
  const at = (path: string): MountPoint => ({ ...ROOT, path })

  function problems(...paths: readonly string[]): string[] {
    const image = system('plain')
    putInode(image.root, 'home', createSymlink('var/home'))
    putInode(image.root, 'var/lock', createSymlink('/run/lock'))
    putInode(image.root, 'var/file', createFile(''))
    try {
      checkMountPoints(image, [...paths.map(at), SWAP])
    } catch (error) {
      expect(BootableError.is(error, 'MOUNT_POINT_INVALID')).toBe(true)
      return (error as Error).message.split('\n')
    }
    return []
  }

  it('are anywhere but behind links and files', () => {
    expect(problems('/', '/boot/efi', '/srv/data', '/var/new/deep')).toEqual([])
    expect(problems('/home/anna', '/var/lock', '/var/file', '/srv')).toEqual([
      '/home/anna cannot be mounted: /home of the image is a link to var/home; name /var/home/anna',
      '/var/lock cannot be mounted: /var/lock of the image is a link to /run/lock; name /run/lock',
      '/var/file cannot be mounted: /var/file of the image is a file',
    ])
  })

  it('need programs of the image where they lie in volumes', () => {
    const lvm = { ...at('/var'), layers: [{ type: 'lvm', group: 'vg', volume: 'v' } as const] }
    const bare = checkMountPoints(system('plain'), [DATA, lvm])
    expect(bare.map(({ message }) => message)).toEqual([
      'a volume is encrypted, and the image has nothing that opens it',
      'a filesystem is on a logical volume, and the image has no lvm',
    ])
    const tools = {
      'usr/lib/systemd/system-generators/systemd-cryptsetup-generator': '',
      'usr/sbin/lvm': '',
    }
    expect(checkMountPoints(system('plain', tools), [DATA, lvm])).toEqual([])
  })

  it('are made in either layout', async () => {
    const ostree = system('ostree')
    await writeMounts(ostree, [ROOT, DATA], { clock: CLOCK })
    expect(lookup(ostree.root, 'var/data')).toMatchObject({ type: 'directory', mtime: { seconds: CLOCK } })
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
