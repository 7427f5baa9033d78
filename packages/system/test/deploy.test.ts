import type { Blueprint } from '@bootable/blueprint'
import {
  createFile,
  createSymlink,
  dumpTree,
  lookup,
  putInode,
  removePath,
  resolvePath,
} from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { cloneTree, type DeployPlainOptions, deployPlain } from '../src/index.ts'
import { bootableImage, CLOCK, LABELS, textOf, treeOf } from './image.ts'

const OPTIONS: DeployPlainOptions = { architecture: 'amd64', labels: LABELS, seed: 'seed', clock: CLOCK }

function customized(customizations: Blueprint['customizations'], files: Record<string, string> = {}) {
  return deployPlain(bootableImage(files), { ...OPTIONS, blueprint: { customizations } })
}

async function dump(tree: Parameters<typeof dumpTree>[0]): Promise<string[]> {
  const lines: string[] = []
  for await (const line of dumpTree(tree)) lines.push(line)
  return lines
}

describe('deployPlain', () => {
  it('describes the system', async () => {
    const tree = bootableImage()
    expect(await deployPlain(tree, OPTIONS)).toMatchObject({
      layout: 'plain',
      architecture: 'x86_64',
      kernel: {
        version: '6.1.0',
        vmlinuz: 'usr/lib/modules/6.1.0/vmlinuz',
        initramfs: 'usr/lib/modules/6.1.0/initramfs.img',
      },
      kernelArguments: ['rw', 'console=tty0', 'console=ttyS0'],
      osRelease: { ID: 'debian', PRETTY_NAME: 'Debian 13' },
      warnings: [],
    })
  })

  it('measures files, hard links once', async () => {
    const tree = treeOf({ 'usr/lib/modules/1/vmlinuz': 'kernel', 'etc/a': '12345' })
    putInode(tree, 'etc/b', lookup(tree, 'etc/a')!)
    expect((await deployPlain(tree, OPTIONS)).imageSize).toBe(11)
  })

  it('leaves the given tree as it was', async () => {
    const tree = bootableImage()
    const before = await dump(tree)
    await deployPlain(tree, {
      ...OPTIONS,
      blueprint: {
        customizations: {
          user: [{ name: 'anna', groups: ['sudo'], password: 'x' }],
          directories: [{ path: '/etc/default', mode: '0700' }],
          files: [{ path: '/etc/passwd-note', data: 'x' }],
        },
      },
    })
    expect(await dump(tree)).toEqual(before)
  })

  it('gives the same bytes for the same seed and clock', async () => {
    const user = [{ name: 'anna', password: 'secret' }]
    const [one, two] = [await customized({ user }), await customized({ user })]
    expect(await dump(one.sysroot)).toEqual(await dump(two.sysroot))
  })

  it('breaks hard links before it edits', async () => {
    const tree = bootableImage()
    putInode(tree, 'usr/share/passwd', lookup(tree, 'etc/passwd')!)
    const blueprint = { customizations: { user: [{ name: 'anna' }] } }
    const { sysroot } = await deployPlain(tree, { ...OPTIONS, blueprint })
    expect(await textOf(sysroot, 'usr/share/passwd')).not.toContain('anna')
    expect(await textOf(sysroot, 'etc/passwd')).toContain('anna')
  })

  it('completes what container images leave out, and nothing else', async () => {
    const { sysroot } = await deployPlain(bootableImage(), OPTIONS)
    const modes = [
      'boot',
      'dev',
      'proc',
      'run',
      'sys',
      'tmp',
      'var/tmp',
      'var/home',
      'var/roothome',
      'etc/machine-id',
    ]
    expect(modes.map((path) => `${path} ${lookup(sysroot, path)?.mode.toString(8)}`)).toEqual([
      'boot 755',
      'dev 755',
      'proc 555',
      'run 755',
      'sys 555',
      'tmp 1777',
      'var/tmp 1777',
      'var/home 755',
      'var/roothome 700',
      'etc/machine-id 444',
    ])
    expect(await textOf(sysroot, 'etc/machine-id')).toBe('')
    // Targets outside of /var are tmpfs or ostree's.
    expect(lookup(sysroot, 'run/media')).toBeUndefined()
    expect(lookup(sysroot, 'sysroot/ostree')).toBeUndefined()
  })

  it('follows /usr/local and leaves a machine id alone', async () => {
    const tree = treeOf({
      'usr/lib/modules/1/vmlinuz': 'k',
      'usr/local': '->../var/usrlocal',
      'etc/machine-id': 'uninitialized\n',
      tmp: '->run/tmp',
    })
    const { sysroot, warnings } = await deployPlain(tree, {
      ...OPTIONS,
      labels: { 'ostree.bootable': 'true' },
    })
    expect(lookup(sysroot, 'var/usrlocal')?.type).toBe('directory')
    expect(await textOf(sysroot, 'etc/machine-id')).toBe('uninitialized\n')
    expect(lookup(sysroot, 'tmp')?.type).toBe('symlink')
    expect(warnings).toEqual([expect.objectContaining({ message: 'kernel 1 has no initramfs' })])
  })

  it('finds the machine id through a link', async () => {
    const tree = bootableImage()
    const etc = lookup(tree, 'etc')!
    removePath(tree, 'etc')
    putInode(tree, 'usr/etc', etc)
    putInode(tree, 'usr/etc/machine-id', createFile('uninitialized\n'))
    putInode(tree, 'etc', createSymlink('usr/etc'))
    const blueprint = { customizations: { user: [{ name: 'anna' }] } }
    const { sysroot } = await deployPlain(tree, { ...OPTIONS, blueprint })
    expect(await textOf(sysroot, 'etc/machine-id')).toBe('uninitialized\n')
    expect(await textOf(sysroot, 'usr/etc/passwd')).toContain('anna:')
  })

  it('writes the mark of Ignition and tells the kernel its url', async () => {
    const url = 'https://example.org/c.ign'
    const { sysroot, kernelArguments } = await customized({ ignition: { firstboot: { url } } })
    expect(await textOf(sysroot, 'boot/ignition.firstboot')).toBe('')
    expect(kernelArguments).toContain(`ignition.config.url=${url}`)
  })

  it('stops when it is told to', async () => {
    const signal = AbortSignal.abort(new Error('stop'))
    await expect(deployPlain(bootableImage(), { ...OPTIONS, signal })).rejects.toThrow('stop')
  })
})

describe('what is not bootable', () => {
  it('says all that is missing', async () => {
    const failure = deployPlain(treeOf({ 'etc/passwd': '' }), { ...OPTIONS, labels: {} })
    await expect(failure).rejects.toMatchObject({
      code: 'NOT_BOOTABLE',
      message:
        'the image is not bootable: there is no kernel at /usr/lib/modules/<version>/vmlinuz, and neither the label containers.bootc=1 nor ostree.bootable is set',
    })
  })

  it('wants the label, when labels are known', async () => {
    await expect(deployPlain(bootableImage(), { ...OPTIONS, labels: {} })).rejects.toThrow(
      'label containers.bootc=1',
    )
    const { labels: _, ...unlabelled } = OPTIONS
    await deployPlain(bootableImage(), unlabelled)
  })

  it('names the kernels when there are several', async () => {
    const tree = bootableImage({
      'usr/lib/modules/6.2.0/vmlinuz': 'k',
      'usr/lib/modules/6.3.0/modules.dep': '',
    })
    await expect(deployPlain(tree, OPTIONS)).rejects.toThrow('2 kernels, a machine boots one: 6.1.0, 6.2.0')
  })

  it('knows no other architectures', async () => {
    await expect(deployPlain(bootableImage(), { ...OPTIONS, architecture: 'mips' })).rejects.toMatchObject({
      code: 'ARCHITECTURE_UNSUPPORTED',
    })
  })
})

describe('files and directories', () => {
  it('get content, mode and owner by name or number', async () => {
    const { sysroot } = await customized({
      user: [{ name: 'anna' }],
      directories: [{ path: '/etc/app/conf.d', ensure_parents: true, mode: '0750', group: 'sudo' }],
      files: [
        { path: '/etc/app/conf.d/a', data: 'text', user: 'anna', group: 27, mode: '600' },
        { path: '/root/x', data: 'y' },
        { path: '/etc/login.defs', data: '' },
      ],
    })
    expect(lookup(sysroot, 'etc/app')).toMatchObject({ mode: 0o755, gid: 0 })
    expect(lookup(sysroot, 'etc/app/conf.d')).toMatchObject({
      mode: 0o750,
      gid: 27,
      mtime: { seconds: CLOCK },
    })
    expect(lookup(sysroot, 'etc/app/conf.d/a')).toMatchObject({ mode: 0o600, uid: 1000, gid: 27 })
    expect(await textOf(sysroot, 'var/roothome/x')).toBe('y')
    expect(await textOf(sysroot, 'etc/login.defs')).toBe('')
  })

  // Images of the ostree kind link /usr/local to below /var, where container images have nothing, and a
  // blueprint can name directories below /etc only.
  it.each([
    ['usr/local', '->../var/usrlocal', '/usr/local/sbin/tool', 'var/usrlocal/sbin'],
    ['root', '->var/roothome', '/root/.config/app/rc', 'var/roothome/.config/app'],
  ])('outside of /etc make the directories that they need (%s)', async (link, target, path, parent) => {
    const tree = bootableImage()
    removePath(tree, link)
    putInode(tree, link, createSymlink(target.slice(2)))
    const blueprint = { customizations: { files: [{ path, data: 'x', mode: '0755' }] } }
    const { sysroot } = await deployPlain(tree, { ...OPTIONS, blueprint })
    expect(lookup(sysroot, parent)).toMatchObject({ type: 'directory', mode: 0o755, uid: 0 })
    expect(await textOf(sysroot, path)).toBe('x')
  })

  it('change only what is said of a directory that is there', async () => {
    const { sysroot } = await customized({ directories: [{ path: '/etc/skel', mode: '0700' }] })
    expect(lookup(sysroot, 'etc/skel')).toMatchObject({ mode: 0o700, uid: 0 })
    expect(lookup(sysroot, 'etc/skel/.profile')).toBeDefined()
  })

  it.each([
    [{ files: [{ path: '/etc/none/x' }] }, 'FILE_INVALID'],
    [{ files: [{ path: '/etc/passwd/x' }] }, 'FILE_INVALID'],
    [{ files: [{ path: '/etc/skel' }] }, 'FILE_INVALID'],
    [{ directories: [{ path: '/etc/none/x' }] }, 'FILE_INVALID'],
    [{ directories: [{ path: '/etc/passwd' }] }, 'FILE_INVALID'],
    [{ files: [{ path: '/etc/x', user: 'nobody' }] }, 'USER_MISSING'],
    [{ files: [{ path: '/etc/x', group: 'nobody' }] }, 'GROUP_MISSING'],
  ])('refuse %j', async (customizations, code) => {
    await expect(customized(customizations)).rejects.toMatchObject({ code })
  })
})

describe('cloneTree', () => {
  it('shares files and copies directories', () => {
    const tree = bootableImage()
    tree.root.immutable = true
    const copy = cloneTree(tree)
    expect(copy.root.immutable).toBe(true)
    expect(lookup(copy, 'etc/passwd')).toBe(lookup(tree, 'etc/passwd'))
    expect(lookup(copy, 'etc')).not.toBe(lookup(tree, 'etc'))
    expect(resolvePath(copy, 'usr/lib/modules/6.1.0')?.path).toBe('usr/lib/modules/6.1.0')
  })
})
