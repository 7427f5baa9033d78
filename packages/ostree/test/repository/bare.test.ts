import { FormatError, memorySource, toHex, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  dumpTree,
  type FileTree,
  lookup,
  putInode,
  type RegularFile,
  removePath,
  walkTree,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { type ObjectType, objectPath } from '../../src/object/checksum.ts'
import { encodeCommitmeta } from '../../src/object/metadata.ts'
import { checkoutCommit } from '../../src/repository/checkout.ts'
import { commitTree } from '../../src/repository/commit-tree.ts'
import { bootcConfig } from '../../src/repository/config.ts'
import { openRepository } from '../../src/repository/read.ts'
import { createRepository, type Repository } from '../../src/repository/repository.ts'
import { verifyRepository } from '../../src/repository/verify.ts'
import { writeRepository } from '../../src/repository/write.ts'
import { formatKeyFile } from '../../src/sysroot/key-file.ts'

const runtime = nodeRuntime
const HELLO = '44f778e59f0a4748d6b0c90a47347212a231c4ad1e8f7ea5c5dffc7749153a6b'
const mtime = { seconds: 1_767_323_045, nanoseconds: 0 }

async function sample(): Promise<{ repository: Repository; commit: string; sysroot: FileTree }> {
  const tree = createTree()
  putInode(tree, 'usr/hello', createFile('hello\n'))
  putInode(tree, 'usr/again', createFile('hello\n'))
  putInode(tree, 'usr/link', createSymlink('hello'))
  putInode(tree, 'empty', createFile('', { mode: 0o4755 }))
  const repository = createRepository({ runtime })
  const commit = await commitTree(repository, tree, { runtime, timestamp: 0 })
  repository.refs.set('ostree/1/1/0', commit)
  const sysroot = createTree()
  writeRepository(repository, sysroot, 'ostree/repo', { mtime })
  return { repository, commit, sysroot }
}

describe('config', () => {
  test('is what bootc leaves, to the byte', () => {
    const text = utf8(formatKeyFile(bootcConfig()))
    expect(text.length).toBe(89)
    expect(toHex(runtime.createHash('sha256').update(text).digest())).toBe(
      'c653b9664ac841b9bdf41781ad9db4d47bb0efd6f4d1f36e0b594428b1d6b3fb',
    )
  })

  test('takes what the install configuration appends, and other groups', () => {
    const config = bootcConfig({ blsAppendExceptDefault: 'grub_users=""' })
    expect(formatKeyFile({ ...config, 'ex-integrity': { fsverity: 'true' } })).toBe(
      '[core]\nrepo_version=1\nmode=bare\n\n' +
        '[sysroot]\nbootloader=none\nbootprefix=true\nreadonly=true\nbls-append-except-default=grub_users=""\n\n' +
        '[ex-integrity]\nfsverity=true\n',
    )
    expect(formatKeyFile({ a: { b: '  two\nlines\\' } })).toBe('[a]\nb=\\s\\stwo\\nlines\\\\\n')
  })
})

describe('writeRepository', () => {
  test('lays a repository out as libostree does', async () => {
    const { commit, sysroot } = await sample()
    const lines: string[] = []
    for await (const line of dumpTree(sysroot, { runtime, digests: false })) lines.push(line)
    const objects = lines.filter((line) => line.startsWith('/ostree/repo/objects/'))
    const rest = lines.filter((line) => !objects.includes(line))
    const time = `${mtime.seconds}.000000000`
    expect(rest).toEqual([
      '/ 040755 0:0 0.000000000',
      `/ostree 040755 0:0 ${time}`,
      `/ostree/repo 040755 0:0 ${time}`,
      `/ostree/repo/config 100644 0:0 ${time} 89`,
      `/ostree/repo/extensions 040755 0:0 ${time}`,
      `/ostree/repo/objects 040755 0:0 ${time}`,
      `/ostree/repo/refs 040755 0:0 ${time}`,
      `/ostree/repo/refs/heads 040755 0:0 ${time}`,
      `/ostree/repo/refs/heads/ostree 040755 0:0 ${time}`,
      `/ostree/repo/refs/heads/ostree/1 040755 0:0 ${time}`,
      `/ostree/repo/refs/heads/ostree/1/1 040755 0:0 ${time}`,
      `/ostree/repo/refs/heads/ostree/1/1/0 100644 0:0 ${time} 65`,
      `/ostree/repo/refs/mirrors 040755 0:0 ${time}`,
      `/ostree/repo/refs/remotes 040755 0:0 ${time}`,
      `/ostree/repo/state 040755 0:0 ${time}`,
      `/ostree/repo/tmp 040755 0:0 ${time}`,
    ])
    expect(objects).toContain(`/ostree/repo/objects/${objectPath(HELLO, 'file')} 100644 0:0 0.000000000 6`)
    expect(objects).toContain(`/ostree/repo/objects/${commit.slice(0, 2)} 040755 0:0 ${time}`)
    // A prefix has a directory only where it has an object.
    const prefixes = objects.filter((line) => / 0407/.test(line)).length
    expect(objects.length - prefixes).toBeGreaterThanOrEqual(prefixes)
  })

  test('shares its inodes with a checkout', async () => {
    const { repository, commit, sysroot } = await sample()
    const deployment = checkoutCommit(repository, commit)
    const object = lookup(sysroot, `ostree/repo/objects/${objectPath(HELLO, 'file')}`)
    expect(lookup(deployment, 'usr/hello')).toBe(object)
    expect(lookup(deployment, 'usr/again')).toBe(object)
  })

  test.each(['', '/a', 'a//b', 'a/', '.a', 'a/../b', 'a b', 'heads:'])('refuses the ref %j', async (ref) => {
    const repository = createRepository()
    repository.refs.set(ref, HELLO)
    expect(() => writeRepository(repository, createTree(), 'repo')).toThrow(
      expect.objectContaining({ code: 'OSTREE_INVALID_REF' }),
    )
  })
})

describe('openRepository', () => {
  test('reads what was written', async () => {
    const { repository, commit } = await sample()
    repository.refs.set('ostree/container/image/docker_3A__2F__2F_quay_2E_io/os', commit)
    repository.refs.set('origin:stable', commit)
    repository.setDetachedMetadata(commit, encodeCommitmeta(new Map([['a', 'b']])))
    const tree = createTree()
    writeRepository(repository, tree, 'repo')
    const opened = await openRepository(tree, 'repo', { runtime })
    expect(new Map([...opened.refs].sort())).toEqual(new Map([...repository.refs].sort()))
    expect([...opened.objects()]).toEqual([...repository.objects()])
    for (const { checksum, type } of repository.objects()) {
      if (type === 'file') expect(opened.file(checksum)).toBe(repository.file(checksum))
      else expect(opened.metadata(checksum, type)).toEqual(repository.metadata(checksum, type))
    }
    expect(opened.checksum(opened.file(HELLO) as RegularFile)).toBe(HELLO)
    expect(await verifyRepository(opened, { runtime })).toMatchObject({ bytes: 6, findings: [] })
  })

  test('follows aliases of refs, and passes over what is no object', async () => {
    const { commit, sysroot } = await sample()
    putInode(sysroot, 'ostree/repo/refs/heads/alias', createSymlink('ostree/1/1/0'))
    putInode(sysroot, 'ostree/repo/refs/heads/nowhere', createSymlink('gone'))
    putInode(sysroot, `ostree/repo/objects/00/${'0'.repeat(62)}.payload-link`, createSymlink('x'))
    putInode(sysroot, 'ostree/repo/objects/tmp', createFile('x'))
    const opened = await openRepository(sysroot, 'ostree/repo')
    expect(opened.refs.get('alias')).toBe(commit)
    expect(opened.refs.has('nowhere')).toBe(false)
    expect([...opened.objects()].length).toBe(7)
  })

  test('refuses what it cannot read', async () => {
    const { sysroot } = await sample()
    await expect(openRepository(createTree(), 'ostree/repo')).rejects.toMatchObject({
      code: 'OSTREE_NO_REPOSITORY',
    })
    putInode(sysroot, 'ostree/repo/config', createFile('[core]\nrepo_version=1\nmode=archive-z2\n'))
    await expect(openRepository(sysroot, 'ostree/repo')).rejects.toMatchObject({
      code: 'OSTREE_UNSUPPORTED_MODE',
      details: { mode: 'archive-z2' },
    })
  })

  test.each([
    ['a ref that is no checksum', 'refs/heads/bad', createFile('x\n')],
    ['a ref with bytes that are no text', 'refs/heads/bad', createFile(Uint8Array.of(0xff, 0xfe))],
    ['a file object that is a directory', `objects/00/${'0'.repeat(62)}.file`, createDirectory()],
    ['a tree that is a link', `objects/00/${'0'.repeat(62)}.dirtree`, createSymlink('x')],
  ])('%s is a FormatError', async (_, path, inode) => {
    const { sysroot } = await sample()
    putInode(sysroot, `ostree/repo/${path}`, inode)
    await expect(openRepository(sysroot, 'ostree/repo')).rejects.toBeInstanceOf(FormatError)
  })

  test('metadata that would fill the memory is not read', async () => {
    const { sysroot } = await sample()
    const huge = { size: 2 ** 40, read: () => Promise.reject(new Error('read')) }
    putInode(sysroot, `ostree/repo/objects/00/${'0'.repeat(62)}.commit`, createFile(huge))
    await expect(openRepository(sysroot, 'ostree/repo')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  })
})

describe('verifyRepository', () => {
  /** The repository with one object replaced. */
  async function verifyWith(edit: (sysroot: FileTree, commit: string) => void): Promise<string[]> {
    const { sysroot, commit } = await sample()
    edit(sysroot, commit)
    const opened = await openRepository(sysroot, 'ostree/repo', { runtime })
    const { findings } = await verifyRepository(opened, { runtime })
    return findings.map(({ problem, object }) => `${problem} ${object.type}`)
  }
  const pathOf = (checksum: string, type: ObjectType) => `ostree/repo/objects/${objectPath(checksum, type)}`

  test('finds content, owner and attributes that are not those of the object', async () => {
    const set = (change: (file: RegularFile) => RegularFile) =>
      verifyWith((sysroot) => {
        const path = pathOf(HELLO, 'file')
        putInode(sysroot, path, change(lookup(sysroot, path) as RegularFile))
      })
    expect(await set((file) => file)).toEqual([])
    expect(await set((file) => ({ ...file, mtime }))).toEqual([])
    expect(await set((file) => ({ ...file, content: memorySource(utf8('hallo\n')) }))).toEqual([
      'checksum file',
    ])
    expect(await set((file) => ({ ...file, uid: 1 }))).toEqual(['checksum file'])
    expect(await set((file) => ({ ...file, mode: 0o600 }))).toEqual(['checksum file'])
    expect(await set((file) => ({ ...file, xattrs: new Map([['user.a', utf8('b')]]) }))).toEqual([
      'checksum file',
    ])
  })

  test('finds what is missing, and what is malformed', async () => {
    expect(await verifyWith((sysroot) => removePath(sysroot, pathOf(HELLO, 'file')))).toEqual([
      'missing file',
      'missing file',
    ])
    expect(await verifyWith((sysroot, commit) => removePath(sysroot, pathOf(commit, 'commit')))).toEqual([
      'missing commit',
    ])
    const damage = await verifyWith((sysroot, commit) => {
      putInode(sysroot, pathOf(commit, 'commit'), createFile('none'))
    })
    expect(damage).toEqual(['checksum commit', 'malformed commit'])
  })

  test('a flipped bit anywhere in the objects is found', async () => {
    const { sysroot } = await sample()
    const objects = { root: lookup(sysroot, 'ostree/repo/objects') as FileTree['root'] }
    for (const { path, inode } of [...walkTree(objects)]) {
      if (inode.type !== 'file' || inode.content.size === 0) continue
      const bytes = new Uint8Array(inode.content.size)
      await inode.content.read(0, bytes)
      for (let place = 0; place < bytes.length; place += 5) {
        const damaged = bytes.slice()
        damaged[place]! ^= 1 << (place % 8)
        putInode(objects, path, { ...inode, content: memorySource(damaged) })
        const opened = await openRepository(sysroot, 'ostree/repo', { runtime })
        const { findings } = await verifyRepository(opened, { runtime })
        expect(findings.map(({ problem }) => problem)).toContain('checksum')
      }
      putInode(objects, path, inode)
    }
  })
})
