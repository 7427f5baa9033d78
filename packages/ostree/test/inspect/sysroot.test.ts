import { utf8 } from '@bootable/bytes'
import { createFile, createSymlink, createTree, lookup, putInode, removePath, walkTree } from '@bootable/tree'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isOstreeSysroot, readDeployments, readSysroot } from '../../src/index.ts'
import { compareVersions } from '../../src/inspect/boot-entries.ts'
import { imageMetadata, KERNEL, makeSysroot, sum } from './make-sysroot.ts'

const ORIGIN = '[origin]\ncontainer-image-reference=ostree-unverified-registry:quay.io/example/os:latest\n'

describe('readDeployments', () => {
  it('describes a deployment of a container image', async () => {
    const base = sum('base')
    const layers = ['one', 'two']
    const sysroot = makeSysroot([
      {
        name: '42.1',
        origin: ORIGIN,
        metadata: imageMetadata('42.1', layers),
        parent: base,
        blobs: [`sha256:${sum('one')}`],
        files: {
          '.ostree.cfs': 'erofs',
          'usr/lib/ostree/prepare-root.conf': '[composefs]\nenabled = yes\n',
        },
      },
    ])
    const label = utf8('system_u:object_r:usr_t:s0\0')
    lookup(sysroot, `${sysroot.paths[0]}/usr`)?.xattrs.set('security.selinux', label)

    const [deployment, ...others] = await readDeployments(sysroot)
    expect(others).toEqual([])
    expect(deployment).toMatchObject({
      path: sysroot.paths[0],
      stateroot: 'default',
      serial: 0,
      isDefault: true,
      bootEntry: { path: 'boot/loader.1/entries/ostree-1.conf', title: 'Test 42.1', version: '1' },
      kernelVersion: KERNEL,
      origin: { image: { transport: 'docker', name: 'quay.io/example/os:latest' }, pinned: false },
      timestamp: 1_750_000_000,
      base,
      image: {
        manifestDigest: `sha256:${sum('manifest 42.1')}`,
        configDigest: `sha256:${sum('config 42.1')}`,
        platform: { architecture: 'amd64', os: 'linux' },
        labels: { 'containers.bootc': '1' },
        version: '42.1',
        created: '2025-06-15T14:26:40Z',
        layers: [
          { digest: `sha256:${sum('one')}`, diffId: `sha256:${sum('diff one')}`, size: 3000, stored: true },
          { digest: `sha256:${sum('two')}`, stored: false },
        ],
      },
      labels: { labelled: 1, total: 5 },
      composefs: { image: true, enabled: 'yes' },
      findings: [],
    })
    expect(deployment?.kernelArguments.slice(0, 2)).toEqual(['root=UUID=1', 'rw'])
    expect(deployment?.path).toContain(`/${deployment?.commit}.0`)
    // Plain data: what --json prints is what programs get.
    expect(JSON.parse(JSON.stringify(deployment))).toEqual(deployment)
  })

  it('sorts by the version of the boot entry, as a number', async () => {
    const made = ['9', '10', '1'].map((version) => ({ name: `v${version}`, version, origin: ORIGIN }))
    const sysroot = makeSysroot(made)
    const deployments = await readDeployments(sysroot)
    expect(deployments.map(({ bootEntry }) => bootEntry?.version)).toEqual(['10', '9', '1'])
    expect(deployments.map(({ isDefault }) => isDefault)).toEqual([true, false, false])
    expect(deployments.flatMap(({ findings }) => findings)).toEqual([])
  })

  it('takes a commit that is not of an image for what it is', async () => {
    const sysroot = makeSysroot([
      { name: 'plain', origin: '[origin]\nrefspec=fixture/x86_64\n', metadata: new Map([['version', '7']]) },
    ])
    const [deployment] = await readDeployments(sysroot)
    expect(deployment).toMatchObject({
      version: '7',
      origin: { refspec: 'fixture/x86_64' },
      labels: { labelled: 0, total: 0 },
      composefs: { image: false, enabled: 'no' },
      findings: [],
    })
    expect(deployment?.image).toBeUndefined()
  })

  it('lets a kernel argument have the last word on composefs', async () => {
    const files = { 'usr/lib/ostree/prepare-root.conf': '[composefs]\nenabled = no\n' }
    const sysroot = makeSysroot([{ name: 'a', origin: ORIGIN, files }])
    const entry = lookup(sysroot, 'boot/loader.1/entries/ostree-1.conf')
    const extended = await contentOf(entry)
    const words = extended.replace('rw ', 'rw ostree.prepare-root.composefs=1 ')
    putInode(sysroot, 'boot/loader.1/entries/ostree-1.conf', createFile(words))
    const [deployment] = await readDeployments(sysroot)
    expect(deployment?.composefs).toEqual({ image: false, enabled: 'yes' })
    expect(deployment?.findings[0]?.message).toMatch(/no \.ostree\.cfs: it will not boot/)
  })

  it('refuses what is no sysroot', async () => {
    await expect(readDeployments(createTree())).rejects.toMatchObject({ code: 'OSTREE_NO_SYSROOT' })
    const image = createTree()
    putInode(image, 'sysroot/ostree/repo/config', createFile(''))
    putInode(image, 'ostree', createSymlink('sysroot/ostree'))
    expect(isOstreeSysroot(image)).toBe(false)
    expect(isOstreeSysroot(makeSysroot([]))).toBe(true)
  })
})

describe('a damaged sysroot', () => {
  it.each<[what: string, damage: (sysroot: ReturnType<typeof makeSysroot>) => void, message: RegExp]>([
    ['no origin', (tree) => removePath(tree, `${tree.paths[0]}.origin`), /there is no origin/],
    [
      'an origin that is none',
      (tree) =>
        putInode(tree, `${tree.paths[0]}.origin`, createFile('[origin]\ncontainer-image-reference=x:y\n')),
      /"x" is no scheme/,
    ],
    ['no commit', (tree) => removePath(tree, 'ostree/repo/objects'), /not in the repository/],
    ['no kernel', (tree) => removePath(tree, 'boot/ostree'), /vmlinuz-.* is not there/],
    [
      'a mode of composefs that nobody knows',
      (tree) =>
        putInode(
          tree,
          `${tree.paths[0]}/etc/ostree/prepare-root.conf`,
          createFile('[composefs]\nenabled=perhaps\n'),
        ),
      /"perhaps"/,
    ],
  ])('with %s is shown with a finding', async (_, damage, message) => {
    const sysroot = makeSysroot([{ name: 'a', origin: ORIGIN, metadata: imageMetadata('a', ['one']) }])
    damage(sysroot)
    const [deployment] = await readDeployments(sysroot)
    expect(deployment?.findings.map((finding) => finding.message).join('\n')).toMatch(message)
    expect(deployment?.isDefault).toBe(true)
  })

  it('says what is wrong with the metadata of an image, and shows the rest', async () => {
    const metadata = new Map([...imageMetadata('a', ['one']), ['ostree.manifest', '{}'] as const])
    metadata.delete('ostree.container.image-config')
    const [deployment] = await readDeployments(makeSysroot([{ name: 'a', origin: ORIGIN, metadata }]))
    expect(deployment?.image).toEqual({
      manifestDigest: `sha256:${sum('manifest a')}`,
      labels: {},
      layers: [],
    })
    expect(deployment?.findings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/image manifest/),
      'the commit has no ostree.container.image-config',
    ])
  })

  it('notices a commit with another checksum', async () => {
    const sysroot = makeSysroot([{ name: 'a', origin: ORIGIN }])
    for (const { path, inode } of walkTree(sysroot)) {
      if (path.endsWith('.commit') && inode.type === 'file') putInode(sysroot, path, createFile('other'))
    }
    const [deployment] = await readDeployments(sysroot)
    expect(deployment?.findings[0]?.message).toMatch(/it hashes to/)
    expect(deployment?.timestamp).toBeUndefined()
  })

  it.each<[what: string, entry: string, message: RegExp]>([
    ['without ostree=', 'options quiet\n', /have no ostree=/],
    ['into nowhere', 'options ostree=/ostree/boot.0/x\n', /does not lead to a deployment/],
    ['into the repository', 'options ostree=/ostree/repo\n', /does not lead to a deployment/],
    ['of too many bytes', `options ${'x'.repeat(70_000)}\n`, /no text of at most/],
  ])('has an entry %s', async (_, entry, message) => {
    const sysroot = makeSysroot([
      { name: 'good', version: '1', origin: ORIGIN },
      { name: 'bad', version: '2', origin: ORIGIN, entry },
    ])
    const { deployments, findings } = await readSysroot(sysroot)
    expect(deployments.map(({ path }) => path)).toEqual([sysroot.paths[0]])
    expect(findings.map((finding) => finding.message)).toEqual([
      expect.stringMatching(message),
      'no boot entry leads here: ostree will remove it',
    ])
  })

  it('lists its deployments where no boot entries are found', async () => {
    const sysroot = makeSysroot([{ name: 'a', origin: ORIGIN }])
    removePath(sysroot, 'boot')
    const { deployments, findings } = await readSysroot(sysroot)
    expect(deployments).toMatchObject([{ path: sysroot.paths[0], isDefault: false, kernelArguments: [] }])
    expect(findings).toMatchObject([
      { path: 'boot/loader', message: expect.stringMatching(/no boot entries/) },
    ])
  })

  it('counts a deployment once, however many entries boot it', async () => {
    const sysroot = makeSysroot([{ name: 'a', origin: ORIGIN }])
    const entry = await contentOf(lookup(sysroot, 'boot/loader.1/entries/ostree-1.conf'))
    putInode(sysroot, 'boot/loader.1/entries/ostree-2.conf', createFile(entry))
    const { deployments, findings } = await readSysroot(sysroot)
    expect(deployments).toHaveLength(1)
    expect(findings).toMatchObject([{ message: 'another boot entry leads to the same deployment' }])
  })

  it('never ends in anything but an answer, whatever bytes its small files hold', async () => {
    const sysroot = makeSysroot([{ name: 'a', origin: ORIGIN, metadata: imageMetadata('a', ['one']) }])
    const names = [...walkTree(sysroot)].filter(({ inode }) => inode.type === 'file').map(({ path }) => path)
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.uint8Array({ maxLength: 300 }), async (name, bytes) => {
        const saved = lookup(sysroot, name)
        putInode(sysroot, name, createFile(bytes))
        try {
          const { deployments, findings } = await readSysroot(sysroot)
          expect(deployments.length + findings.length).toBeGreaterThan(0)
        } finally {
          if (saved) putInode(sysroot, name, saved)
        }
      }),
      { numRuns: 300 },
    )
  })
})

it.each([
  ['2', '10', -1],
  ['10', '10', 0],
  ['1.9', '1.10', -1],
  ['', '1', -1],
  ['b', 'a', 1],
])('compareVersions(%j, %j)', (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign)
  expect(Math.sign(compareVersions(b, a))).toBe(-sign || 0)
})

async function contentOf(inode: ReturnType<typeof lookup>): Promise<string> {
  if (inode?.type !== 'file') throw new Error('no file')
  const bytes = new Uint8Array(inode.content.size)
  await inode.content.read(0, bytes)
  return new TextDecoder().decode(bytes)
}
