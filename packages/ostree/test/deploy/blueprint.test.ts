import { composeKernelArguments, type DeploymentOptions, writeMounts } from '@bootable/system'
import { findDirectory, lookup } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { CLOCK, deploy, dumpOf, textOf } from './machine.ts'

type Customizations = NonNullable<DeploymentOptions['blueprint']>['customizations']

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f anna@home'
const VAR = 'ostree/deploy/default/var'

function customized(customizations: Customizations, changes: Record<string, string | undefined> = {}) {
  return deploy(changes, { blueprint: { customizations } })
}

describe('a blueprint', () => {
  it('changes /etc and /var, and nothing else', async () => {
    const before = await deploy()
    const after = await customized({
      user: [
        { name: 'anna', password: 'secret', key: KEY, groups: ['wheel'] },
        { name: 'root', key: KEY },
      ],
      group: [{ name: 'team' }],
      directories: [{ path: '/etc/app' }],
      files: [
        { path: '/etc/app/conf', data: 'x' },
        { path: '/root/note', data: 'y' },
      ],
      kernel: { append: 'quiet' },
    })
    expect(after.deployment).toEqual(before.deployment)
    const known = new Set(await dumpOf(before.sysroot))
    const { path } = after.deployment!
    const changed = (await dumpOf(after.sysroot)).flatMap((line) => {
      const [name = ''] = line.split(' ')
      return known.has(line) ? [] : [name.replace(`/${path}`, '(deployment)')]
    })
    const home = `/${VAR}/home/anna`
    expect(changed).toEqual([
      '(deployment)/etc/app',
      '(deployment)/etc/app/conf',
      '(deployment)/etc/group',
      '(deployment)/etc/passwd',
      '(deployment)/etc/shadow',
      `/${VAR}/home`,
      home,
      `${home}/.profile`,
      `${home}/.ssh`,
      `${home}/.ssh/authorized_keys`,
      `/${VAR}/roothome`,
      `/${VAR}/roothome/.ssh`,
      `/${VAR}/roothome/.ssh/authorized_keys`,
      `/${VAR}/roothome/note`,
    ])
    expect(lookup(after.sysroot, `${VAR}/home`)).toMatchObject({ mode: 0o755, uid: 0 })
    expect(lookup(after.sysroot, `${VAR}/home/anna`)).toMatchObject({ uid: 1000 })
    expect(lookup(after.sysroot, `${VAR}/roothome`)).toMatchObject({ mode: 0o700, uid: 0 })
    expect(await textOf(after.sysroot, `${path}/etc/passwd`)).toContain('anna:x:1000:')
    expect(await textOf(after.sysroot, `${path}/usr/etc/passwd`)).not.toContain('anna')
    expect(await textOf(after.root, 'home/anna/.ssh/authorized_keys')).toBe(`${KEY}\n`)
    expect(composeKernelArguments(after, [])).toEqual([
      'rw',
      'console=tty0',
      'console=ttyS0',
      'quiet',
      expect.stringMatching(/^ostree=/),
    ])
  })

  it('reaches what links lead to below /var', async () => {
    const link = { 'usr/local/bin/': undefined, 'usr/local': '->../var/usrlocal' }
    const { sysroot } = await customized(
      {
        files: [{ path: '/usr/local/bin/tool', data: 'x', mode: '0755' }],
        user: [{ name: 'app', home: '/opt/app' }],
      },
      link,
    )
    expect(lookup(sysroot, `${VAR}/usrlocal/bin/tool`)).toMatchObject({ mode: 0o755 })
    expect(lookup(sysroot, `${VAR}/opt/app`)).toMatchObject({ type: 'directory', uid: 1000 })
  })

  it.each<[path: string, customizations: Customizations, landing: string]>([
    ['/usr/local/bin/tool', { files: [{ path: '/usr/local/bin/tool', data: 'x' }] }, ''],
    ['/usr/share/app', { user: [{ name: 'app', home: '/usr/share/app' }] }, ''],
    ['/srv/app', { user: [{ name: 'app', home: '/srv/app' }] }, ''],
    ['/etc/link/x', { files: [{ path: '/etc/link/x', data: 'x' }] }, '/usr/lib/tmpfiles.d/x'],
    ['/etc/link', { directories: [{ path: '/etc/link', mode: '0700' }] }, '/usr/lib/tmpfiles.d'],
  ])('cannot write %s', async (path, customizations, landing) => {
    const failure = customized(customizations, { 'etc/link': '->../usr/lib/tmpfiles.d' })
    await expect(failure).rejects.toMatchObject({
      code: 'OSTREE_READ_ONLY',
      details: { path, landing: landing || path },
    })
    await expect(failure).rejects.toThrow('belongs to the image, which is read-only')
  })

  it('cannot turn updates off in a folder of the image', async () => {
    const link = { 'etc/systemd/': undefined, 'etc/systemd/system': '->../../usr/lib/tmpfiles.d' }
    await expect(customized({ updates: { enabled: false } }, link)).rejects.toMatchObject({
      code: 'OSTREE_READ_ONLY',
      details: { landing: '/usr/lib/tmpfiles.d' },
    })
  })

  it('may name a home that is there already', async () => {
    const { root } = await customized({ user: [{ name: 'app', home: '/usr/lib' }] })
    expect(await textOf(root, 'etc/passwd')).toContain('app:x:1000:1000::/usr/lib:')
    await expect(customized({ user: [{ name: 'app', home: '/usr/lib', key: KEY }] })).rejects.toMatchObject({
      code: 'OSTREE_READ_ONLY',
    })
  })

  it('cannot change an /etc that is made anew at every boot', async () => {
    const transient = { 'usr/lib/ostree/prepare-root.conf': '[etc]\ntransient = true\n' }
    await expect(customized({ user: [{ name: 'anna' }] }, transient)).rejects.toThrow('etc.transient')
    await expect(customized({ updates: { enabled: false } }, transient)).rejects.toThrow('etc.transient')
    await expect(customized({}, transient)).resolves.toBeDefined()
  })
})

describe('the root that the machine sees', () => {
  it('shows /var and /boot where they are, and /sysroot empty', async () => {
    const { root, sysroot, deployment } = await deploy()
    expect(lookup(root, 'var')).toBe(lookup(sysroot, VAR))
    expect(lookup(root, 'boot')).toBe(lookup(sysroot, 'boot'))
    expect(lookup(root, 'etc')).toBe(lookup(sysroot, `${deployment?.path}/etc`))
    expect(lookup(root, 'usr')).toBe(lookup(sysroot, `${deployment?.path}/usr`))
    expect(findDirectory(root, 'sysroot')?.entries.size).toBe(0)
  })

  it('takes the mounts', async () => {
    const system = await deploy()
    const boot = {
      path: '/boot',
      type: 'ext4',
      uuid: 'u',
      label: 'boot',
      options: 'ro',
      freq: 0,
      passno: 0,
    } as const
    await writeMounts(system, [boot], { clock: CLOCK })
    const etc = `${system.deployment?.path}/etc`
    expect(await textOf(system.sysroot, `${etc}/fstab`)).toBe('UUID=u /boot auto ro 0 0\n')
    expect(lookup(system.sysroot, `${etc}/systemd/system/boot.mount`)).toBeDefined()
  })
})
