import { labelOstree, openRepository } from '@bootable/ostree'
import { type InstalledSystem, type MountPoint, SELINUX_XATTR } from '@bootable/system'
import { createFile, type Directory, type FileTree, lookup, putInode, walkTree } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { BOOTCSUM, deploy, dumpOf } from './machine.ts'

const CONTEXTS = `\
/ -d c:root
/.* c:default
/usr(/.*)? c:usr
/usr/etc(/.*)? c:usr_etc
/usr/lib/modules(/.*)? c:modules
/etc(/.*)? c:etc
/etc/shadow -- c:shadow
/etc/ostree/remotes\\.d(/.*)? c:remotes
/var(/.*)? c:var
/var/home(/.*)? c:home
/boot(/.*)? c:boot
`

const POLICY = {
  'etc/selinux/config': 'SELINUX=enforcing\nSELINUXTYPE=targeted\n',
  'etc/selinux/targeted/policy/policy.33': 'binary',
  'etc/selinux/targeted/contexts/files/file_contexts': CONTEXTS,
}

const BOOT: MountPoint = {
  path: '/boot',
  type: 'ext4',
  uuid: 'u',
  label: '',
  options: '',
  freq: 0,
  passno: 0,
}

/** Labels of a sysroot by path, with names that stay the same. */
function labelsOf({ sysroot, deployment }: InstalledSystem): Map<string, string | undefined> {
  const labels = new Map<string, string | undefined>()
  for (const { path, inode } of walkTree(sysroot)) {
    const value = inode.xattrs.get(SELINUX_XATTR)
    const name = path.replaceAll(deployment?.commit as string, 'C').replaceAll(BOOTCSUM, 'B')
    labels.set(`/${name}`, value && Buffer.from(value).toString())
  }
  return labels
}

describe('labelOstree', () => {
  it('gives everything a label, by the place that it has in the running machine', async () => {
    const system = await deploy(POLICY, { blueprint: { customizations: { user: [{ name: 'anna' }] } } })
    putInode(system.sysroot, 'boot/grub/grub.cfg', createFile('x'))
    expect((await labelOstree(system, [BOOT]))?.type).toBe('targeted')
    const labels = labelsOf(system)
    expect([...labels].filter(([, label]) => !label?.endsWith('\0'))).toEqual([])
    const deployment = '/ostree/deploy/default/deploy/C.0'
    const places = [
      ['/', 'root'],
      ['/.bootc-aleph.json', 'default'],
      ['/boot', 'boot'],
      ['/boot/grub/grub.cfg', 'boot'],
      ['/boot/ostree/default-B/vmlinuz-6.1.0', 'boot'],
      ['/boot/loader', 'boot'],
      ['/ostree', 'usr'],
      ['/ostree/boot.1', 'usr'],
      ['/ostree/repo/config', 'usr'],
      ['/ostree/repo/refs/heads/ostree/1/1/0', 'usr'],
      ['/ostree/deploy/default/backing/C.0/root-transient/work', 'usr'],
      ['/ostree/deploy/default/backing/C.0/root-transient/upper', 'root'],
      [`${deployment}.origin`, 'remotes'],
      [deployment, 'root'],
      [`${deployment}/.ostree.cfs`, 'usr'],
      [`${deployment}/usr/bin/empty`, 'usr'],
      [`${deployment}/usr/etc/shadow`, 'usr_etc'],
      [`${deployment}/etc/shadow`, 'shadow'],
      [`${deployment}/etc/passwd`, 'etc'],
      [`${deployment}/usr/lib/modules/6.1.0/vmlinuz`, 'modules'],
      ['/ostree/deploy/default/var', 'var'],
      ['/ostree/deploy/default/var/home/anna/.profile', 'home'],
      ['/ostree/deploy/default/var/.ostree-selabeled', 'var'],
    ] as const
    for (const [place, label] of places) expect([place, labels.get(place)]).toEqual([place, `c:${label}\0`])
  })

  it('leaves the objects of the repository as they are', async () => {
    const system = await deploy(POLICY)
    const objects = async (tree: FileTree) => {
      const root = lookup(tree, 'ostree/repo/objects') as Directory
      return (await dumpOf({ root })).filter((line) => /^\/[^ ]*\.file /.test(line))
    }
    const before = await objects(system.sysroot)
    await labelOstree(system, [BOOT])
    expect(await objects(system.sysroot)).toEqual(before)
    await expect(openRepository(system.sysroot, 'ostree/repo')).resolves.toBeDefined()
  })

  it('keeps the hard links of a /boot on the root filesystem', async () => {
    const system = await deploy(POLICY)
    await labelOstree(system, [])
    const { sysroot, deployment } = system
    const kernel = lookup(sysroot, `boot/ostree/default-${BOOTCSUM}/vmlinuz-6.1.0`)
    expect(kernel).toBe(lookup(sysroot, `${deployment?.path}/usr/lib/modules/6.1.0/vmlinuz`))
    expect(labelsOf(system).get('/boot/loader')).toBe('c:boot\0')
  })

  it('does nothing without a policy', async () => {
    const system = await deploy()
    const before = await dumpOf(system.sysroot)
    expect(await labelOstree(system, [BOOT])).toBeUndefined()
    expect(await dumpOf(system.sysroot)).toEqual(before)
  })
})
