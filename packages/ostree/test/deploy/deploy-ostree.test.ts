import { nodeRuntime } from '@bootable/bytes/node'
import { commitTree, createRepository, formatAleph, openRepository, readCommit } from '@bootable/ostree'
import type { InstalledSystem } from '@bootable/system'
import {
  createFile,
  type Directory,
  findDirectory,
  lookup,
  putInode,
  statMode,
  walkTree,
} from '@bootable/tree'
import { beforeAll, describe, expect, it } from 'vitest'
import { BOOTCSUM, deploy, deployImage, dumpOf, filesWith, imageOf, MTIME, textOf } from './machine.ts'

let system: InstalledSystem
beforeAll(async () => {
  system = await deploy()
})

/** Names below a path without what repository, deployment and `/var` hold: type and mode, then the path. */
function outline({ sysroot, deployment }: InstalledSystem): string[] {
  const commit = deployment?.commit as string
  return [...walkTree(sysroot)].flatMap(({ path, inode }) => {
    if (/^ostree\/repo\/objects\/|^ostree\/deploy\/[^/]*\/(deploy\/[^/]*\.0|var)\//.test(path)) return []
    const target = inode.type === 'symlink' ? ` -> ${inode.target}` : ''
    const line = `${statMode(inode).toString(8)} /${path}${target}`
    return [line.replaceAll(commit, 'C').replaceAll(BOOTCSUM, 'B')]
  })
}

describe('a sysroot', () => {
  it('has what bootc install leaves, and nothing else', () => {
    expect(outline(system)).toEqual([
      '40755 /',
      '100644 /.bootc-aleph.json',
      '40755 /boot',
      '120777 /boot/boot -> .',
      '120777 /boot/loader -> loader.1',
      '40755 /boot/loader.1',
      '40755 /boot/loader.1/entries',
      '40755 /boot/ostree',
      '40755 /boot/ostree/default-B',
      '100644 /boot/ostree/default-B/initramfs-6.1.0.img',
      '100644 /boot/ostree/default-B/vmlinuz-6.1.0',
      '40755 /ostree',
      '120777 /ostree/boot.1 -> boot.1.1',
      '40755 /ostree/boot.1.1',
      '40755 /ostree/boot.1.1/default',
      '40755 /ostree/boot.1.1/default/B',
      '120777 /ostree/boot.1.1/default/B/0 -> ../../../deploy/default/deploy/C.0',
      '40755 /ostree/deploy',
      '40755 /ostree/deploy/default',
      '40700 /ostree/deploy/default/backing',
      '40700 /ostree/deploy/default/backing/C.0',
      '40700 /ostree/deploy/default/backing/C.0/root-transient',
      '40755 /ostree/deploy/default/backing/C.0/root-transient/upper',
      '40700 /ostree/deploy/default/backing/C.0/root-transient/work',
      '40755 /ostree/deploy/default/deploy',
      '40755 /ostree/deploy/default/deploy/C.0',
      '100644 /ostree/deploy/default/deploy/C.0.origin',
      '40755 /ostree/deploy/default/var',
      '40755 /ostree/repo',
      '100644 /ostree/repo/config',
      '40755 /ostree/repo/extensions',
      '40755 /ostree/repo/objects',
      '40755 /ostree/repo/refs',
      '40755 /ostree/repo/refs/heads',
      '40755 /ostree/repo/refs/heads/ostree',
      '40755 /ostree/repo/refs/heads/ostree/1',
      '40755 /ostree/repo/refs/heads/ostree/1/1',
      '100644 /ostree/repo/refs/heads/ostree/1/1/0',
      '40755 /ostree/repo/refs/heads/ostree/container',
      '40755 /ostree/repo/refs/heads/ostree/container/blob',
      expect.stringMatching(/^100644 .*\/blob\/sha256_3A_[0-9a-f]{64}$/),
      '40755 /ostree/repo/refs/heads/ostree/container/image',
      '40755 /ostree/repo/refs/heads/ostree/container/image/docker_3A__2F__2F_quay_2E_io',
      '40755 /ostree/repo/refs/heads/ostree/container/image/docker_3A__2F__2F_quay_2E_io/example',
      '100644 /ostree/repo/refs/heads/ostree/container/image/docker_3A__2F__2F_quay_2E_io/example/os_3A_latest',
      '40755 /ostree/repo/refs/mirrors',
      '40755 /ostree/repo/refs/remotes',
      '40755 /ostree/repo/state',
      '40755 /ostree/repo/tmp',
    ])
  })

  it('has the repository settings of bootc, and refs to the commit', async () => {
    expect(await textOf(system.sysroot, 'ostree/repo/config')).toBe(
      '[core]\nrepo_version=1\nmode=bare\n\n[sysroot]\nbootloader=none\nbootprefix=true\nreadonly=true\n',
    )
    const { commit } = system.deployment!
    const repository = await openRepository(system.sysroot, 'ostree/repo')
    expect(repository.refs.get('ostree/1/1/0')).toBe(commit)
    expect(
      repository.refs.get('ostree/container/image/docker_3A__2F__2F_quay_2E_io/example/os_3A_latest'),
    ).toBe(commit)
    const install = '[install.ostree]\nbls-append-except-default = "verbose"\n'
    const other = await deploy({ 'usr/lib/bootc/install/a.toml': install })
    expect(await textOf(other.sysroot, 'ostree/repo/config')).toContain(
      'readonly=true\nbls-append-except-default=verbose\n',
    )
  })

  it('says where it came from', async () => {
    const labels = {
      'containers.bootc': '1',
      version: '42',
      'org.opencontainers.image.created': '2025-01-01T00:00:00Z',
    }
    const image = await imageOf([filesWith()], labels)
    const { sysroot } = await deployImage(image)
    const text = await textOf(sysroot, '.bootc-aleph.json')
    expect(text).toBe(
      `{"digest":"${image.manifest.descriptor.digest}","image":"quay.io/example/os:latest","kernel":"6.1.0",` +
        '"labels":{"containers.bootc":"1","org.opencontainers.image.created":"2025-01-01T00:00:00Z","version":"42"},' +
        '"selinux":"disabled","target-image":"quay.io/example/os:latest","timestamp":"2025-01-01T00:00:00Z","version":"42"}',
    )
  })

  it('writes labels in the order of RFC 8785, numbers among them too', () => {
    const labels = { b: '"', '2': 'two', '10': 'ten' }
    const aleph = { digest: 'd', name: 'n', kernel: 'k', labels, selinux: true }
    expect(formatAleph(aleph)).toBe(
      '{"digest":"d","image":"n","kernel":"k","labels":{"10":"ten","2":"two","b":"\\""},' +
        '"selinux":"enabled","target-image":"n","timestamp":null,"version":null}',
    )
  })

  it('is the same, byte for byte, a second time', async () => {
    expect(await dumpOf((await deploy()).sysroot)).toEqual(await dumpOf(system.sysroot))
  })

  it('takes the name of the stateroot from the image, or from who asks', async () => {
    const file = { 'usr/lib/bootc/install/a.toml': '[install]\nstateroot = "fromimage"\n' }
    expect((await deploy(file)).deployment?.stateroot).toBe('fromimage')
    const { sysroot, deployment, bootEntry } = await deploy(file, { stateroot: 'asked' })
    expect(deployment?.path).toMatch(/^ostree\/deploy\/asked\/deploy\/[0-9a-f]{64}\.0$/)
    expect(findDirectory(sysroot, 'ostree/deploy/asked/var')).toBeDefined()
    expect(bootEntry?.arguments).toEqual([`ostree=/ostree/boot.1/asked/${BOOTCSUM}/0`])
    expect(findDirectory(sysroot, `boot/ostree/asked-${BOOTCSUM}`)).toBeDefined()
  })

  it.each(['', 'a/b', '..', 'a b', '-a', 'ä', 'a'.repeat(65)])(
    'refuses the stateroot %j',
    async (stateroot) => {
      await expect(deploy({}, { stateroot })).rejects.toMatchObject({ code: 'OSTREE_INVALID_STATEROOT' })
    },
  )
})

describe('a deployment', () => {
  const at = (path: string) => lookup(system.sysroot, `${system.deployment?.path}/${path}`)

  it('is made of the inodes of the repository', () => {
    const objects = new Set(
      [...walkTree(system.sysroot)].flatMap(({ path, inode }) =>
        path.startsWith('ostree/repo/objects/') ? [inode] : [],
      ),
    )
    expect(objects).toContain(at('usr/bin/tool'))
    expect(objects).toContain(at('home'))
    expect(objects).toContain(at('usr/etc/passwd'))
    expect(objects).toContain(lookup(system.sysroot, `boot/ostree/default-${BOOTCSUM}/vmlinuz-6.1.0`))
    expect(objects).not.toContain(at('usr/bin/empty'))
    expect(objects).not.toContain(at('etc/passwd'))
    expect(objects).not.toContain(lookup(system.sysroot, 'ostree/deploy/default/var/lib/app/state'))
  })

  it('cannot be written to at its root', () => {
    expect(at('')?.immutable).toBe(true)
    expect(at('etc')?.immutable).toBeUndefined()
  })

  it('has an /etc of its own, with a new time', async () => {
    expect(at('etc/passwd')).toMatchObject({ type: 'file', mtime: MTIME })
    expect(at('etc/shadow')).toMatchObject({ mode: 0o640, gid: 42 })
    expect(at('usr/etc/passwd')).toMatchObject({ mtime: { seconds: 0 } })
  })

  it('has an image for composefs', async () => {
    const image = at('.ostree.cfs')
    expect(image).toMatchObject({ type: 'file', mode: 0o644 })
    expect((image as { content: { size: number } }).content.size % 4096).toBe(0)
  })

  it('asks for everything to be brought up to date', async () => {
    const stamps = { 'etc/.updated': 'x', 'var/.updated': 'x' }
    const { sysroot, deployment } = await deploy(stamps)
    const path = deployment?.path as string
    expect(lookup(sysroot, `${path}/etc/.updated`)).toBeUndefined()
    expect(lookup(sysroot, `${path}/usr/etc/.updated`)).toBeDefined()
    expect(lookup(sysroot, 'ostree/deploy/default/var/.updated')).toBeUndefined()
    expect(lookup(sysroot, `${path}/var/.updated`)).toBeDefined()
  })

  it('shows quoted whiteouts as overlayfs wants them', async () => {
    const { sysroot, deployment } = await deploy({
      'usr/lib/.ostree-wh.gone': 'x',
      'usr/lib/.ostree-wh.': 'x',
    })
    const folder = findDirectory(sysroot, `${deployment?.path}/usr/lib`) as Directory
    expect(folder.entries.get('gone')).toMatchObject({
      type: 'device',
      kind: 'character',
      major: 0,
      minor: 0,
    })
    expect([...folder.entries.keys()].filter((name) => name.startsWith('.ostree-wh'))).toEqual([
      '.ostree-wh.',
    ])
  })

  it('is in the end the commit, but for /etc and what ostree adds', async () => {
    const { sysroot, deployment } = system
    const { commit, path } = deployment!
    const repository = await openRepository(sysroot, 'ostree/repo')
    const root = findDirectory(sysroot, path) as Directory
    const entries = new Map([...root.entries].filter(([name]) => !['etc', '.ostree.cfs'].includes(name)))
    const other = createRepository()
    const stored = readCommit(
      other,
      await commitTree(other, { root: { ...root, entries } }, { timestamp: 0 }),
    )
    const { tree, meta } = readCommit(repository, commit)
    expect(stored).toMatchObject({ tree, meta })
  })
})

describe('/var of a stateroot', () => {
  it('starts as a copy of the image', async () => {
    const variable = 'ostree/deploy/default/var'
    expect(await textOf(system.sysroot, `${variable}/lib/app/state`)).toBe('state')
    expect(lookup(system.sysroot, `${variable}/.ostree-selabeled`)).toMatchObject({ mode: 0o644 })
  })

  it('gets the directories of old ostree where nothing else makes them', async () => {
    const bare = { 'var/lib/app/state': undefined, 'usr/lib/tmpfiles.d/': undefined }
    const names = ({ sysroot }: InstalledSystem) =>
      [...walkTree({ root: findDirectory(sysroot, 'ostree/deploy/default/var') as Directory })].map(
        ({ path, inode }) => `${statMode(inode).toString(8)} ${path}`,
      )
    expect(names(await deploy(bare))).toEqual([
      '40755 ',
      '100644 .ostree-selabeled',
      '40755 lib',
      '120777 lock',
      '40755 log',
      '120777 run',
      '41777 tmp',
    ])
    expect(names(await deploy({ 'var/lib/app/state': undefined }))).toEqual([
      '40755 ',
      '100644 .ostree-selabeled',
    ])
  })
})

describe('the boot entry', () => {
  it('is what ostree would write', () => {
    const folder = `/boot/ostree/default-${BOOTCSUM}`
    expect(system.bootEntry).toEqual({
      path: 'boot/loader.1/entries/ostree-1.conf',
      title: 'Test OS 42 (ostree:0)',
      version: '1',
      linux: `${folder}/vmlinuz-6.1.0`,
      initrd: [`${folder}/initramfs-6.1.0.img`],
      other: {},
      arguments: [`ostree=/ostree/boot.1/default/${BOOTCSUM}/0`],
    })
  })

  it('knows device trees, hmac and aboot images', async () => {
    const modules = 'usr/lib/modules/6.1.0'
    const { sysroot, bootEntry } = await deploy({
      [`${modules}/dtb/b/2.dtb`]: 'two',
      [`${modules}/dtb/a.dtb`]: 'one',
      [`${modules}/.vmlinuz.hmac`]: 'hmac',
      [`${modules}/aboot.img`]: 'aboot',
    })
    const text = 'KERNEL-IMAGEINITRAMFS-IMAGEonetwo'
    const sum = Buffer.from(nodeRuntime.createHash('sha256').update(Buffer.from(text)).digest()).toString(
      'hex',
    )
    const folder = `boot/ostree/default-${sum}`
    expect([...(findDirectory(sysroot, folder) as Directory).entries.keys()].sort()).toEqual([
      '.vmlinuz-6.1.0.hmac',
      'aboot-6.1.0.img',
      'dtb',
      'initramfs-6.1.0.img',
      'vmlinuz-6.1.0',
    ])
    expect(bootEntry?.other).toEqual({ fdtdir: [`/${folder}/dtb`], aboot: [`/${folder}/aboot-6.1.0.img`] })
    const single = await deploy({ [`${modules}/devicetree`]: 'tree', [`${modules}/dtb/a.dtb`]: 'one' })
    expect(single.bootEntry?.other?.devicetree?.[0]).toMatch(/\/devicetree-6\.1\.0$/)
    expect(single.bootEntry?.other?.fdtdir).toBeUndefined()
  })

  it('starts ostree itself where there is no initramfs', async () => {
    const { bootEntry, warnings } = await deploy({ 'usr/lib/modules/6.1.0/initramfs.img': undefined })
    const [init, ostree = ''] = bootEntry?.arguments ?? []
    expect(bootEntry?.initrd).toEqual([])
    expect(init).toBe(`init=${ostree.slice('ostree='.length)}/usr/lib/ostree/ostree-prepare-root`)
    expect(warnings).toEqual([expect.objectContaining({ message: 'kernel 6.1.0 has no initramfs' })])
  })

  it('has a title of one line, from ID where there is no other name', async () => {
    const title = async (osRelease: string) =>
      (await deploy({ 'usr/lib/os-release': osRelease })).bootEntry?.title
    expect(await title('ID=arch\n')).toBe('arch (ostree:0)')
    expect(await title('')).toBe('Linux (ostree:0)')
    expect(await title('PRETTY_NAME="a\tb"\n')).toBe('a b (ostree:0)')
  })
})

describe('what cannot be deployed', () => {
  it.each<[what: string, changes: Record<string, string | undefined>, code: string, message: string]>([
    ['two kernels', { 'usr/lib/modules/6.2.0/vmlinuz': 'x' }, 'NOT_BOOTABLE', '6.1.0, 6.2.0'],
    ['no kernel', { 'usr/lib/modules/6.1.0/vmlinuz': undefined }, 'NOT_BOOTABLE', 'no kernel'],
    [
      'signed composefs',
      { 'usr/lib/ostree/prepare-root.conf': '[composefs]\nenabled = signed\n' },
      'OSTREE_COMPOSEFS_UNSUPPORTED',
      'composefs.enabled = signed',
    ],
    [
      'composefs with verity by kernel argument',
      { 'usr/lib/bootc/kargs.d/a.toml': 'kargs = ["ostree.prepare-root.composefs=verity"]\n' },
      'OSTREE_COMPOSEFS_UNSUPPORTED',
      'composefs.enabled = verity',
    ],
  ])('%s', async (_, changes, code, message) => {
    const failure = deploy(changes)
    await expect(failure).rejects.toMatchObject({ code })
    await expect(failure).rejects.toThrow(message)
  })

  it('an image without a label, or without /etc', async () => {
    await expect(deployImage(await imageOf([filesWith()], {}))).rejects.toMatchObject({
      code: 'NOT_BOOTABLE',
    })
    const tree = filesWith()
    tree.root.entries.delete('etc')
    await expect(deployImage(await imageOf([tree]))).rejects.toMatchObject({ code: 'OSTREE_INVALID_ETC' })
    putInode(tree, 'etc', createFile('x'))
    await expect(deployImage(await imageOf([tree]))).rejects.toMatchObject({ code: 'OSTREE_INVALID_ETC' })
  })

  it('stops when it is told to', async () => {
    const signal = AbortSignal.abort(new Error('stop'))
    await expect(deploy({}, { signal })).rejects.toThrow('stop')
  })
})
