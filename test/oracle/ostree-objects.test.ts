import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fromHex, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  checkoutCommit,
  commitTree,
  createRepository,
  encodeCommitmeta,
  type Metadata,
  objectPath,
  openRepository,
  type Repository,
  readCommit,
  verifyRepository,
  writeRepository,
} from '@bootable/ostree'
import {
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  type FileTree,
  lookup,
  putInode,
  walkTree,
} from '@bootable/tree'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { differences } from '../../tooling/compliance/filesystem.ts'
import { isLinuxName, LINUX_LIMITS } from '../../tooling/compliance/limits.ts'
import { arbitraryTree, patternBytes } from '../../tooling/compliance/trees.ts'
import { readHostTree, writeHostTree } from '../../tooling/host-tree.ts'
import { requireTool, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const runtime = nodeRuntime
const TIMESTAMP = 1_767_323_045

/** Everything that has a form of its own in an object. */
function sampleTree(): FileTree {
  const label = (type: string) => new Map([['security.selinux', utf8(`system_u:object_r:${type}:s0\0`)]])
  const tree = createTree({ xattrs: label('root_t') })
  putInode(tree, 'usr/bin/sudo', createFile(patternBytes(70_000), { mode: 0o4755, xattrs: label('bin_t') }))
  const ping = createFile('ping', { mode: 0o755, xattrs: label('ping_exec_t') })
  ping.xattrs.set('security.capability', fromHex('0100000200200000000000000000000000000000'))
  ping.xattrs.set('user.empty', new Uint8Array(0))
  putInode(tree, 'usr/bin/ping', ping)
  putInode(tree, 'usr/bin/a name, and a “second” one', ping)
  putInode(tree, 'usr/bin/zero', createFile('', { uid: 7, gid: 8, mode: 0o2755 }))
  putInode(tree, 'usr/lib/big', createFile(patternBytes(9 * 1024 ** 2 + 17, 3)))
  putInode(tree, 'usr/lib/os-release', createSymlink('../../etc/os-release', { xattrs: label('etc_t') }))
  putInode(tree, 'usr/lib/dangling', createSymlink('nowhere/ä', { uid: 5, gid: 6 }))
  putInode(tree, 'var/tmp', createDirectory({ mode: 0o1777, uid: 1, gid: 2, xattrs: label('tmp_t') }))
  // More than 255 and more than 65535 bytes of entries: framing offsets of two and four bytes.
  for (let index = 0; index < 12; index++) putInode(tree, `usr/some/${index}`, createFile(`${index}`))
  for (let index = 0; index < 1500; index++) putInode(tree, `usr/many/file ${index}`, createFile('same'))
  for (let index = 0; index < 300; index++) putInode(tree, `usr/dirs/${index}/x`, createFile('same'))
  return tree
}

/** Random trees of what ostree can hold and the host's filesystem too. */
function arbitraryStorableTree(): fc.Arbitrary<FileTree> {
  const limits = { ...LINUX_LIMITS, devices: false as const, fifos: false, nameAllowed: isLinuxName }
  return arbitraryTree(limits).map((tree) => {
    for (const { inode } of walkTree(tree)) {
      inode.mtime = { seconds: Math.abs(inode.mtime.seconds) % 2 ** 31, nanoseconds: 0 }
      // xattr(7): user attributes are for files and directories only.
      if (inode.type !== 'symlink') continue
      for (const name of [...inode.xattrs.keys()]) if (name.startsWith('user.')) inode.xattrs.delete(name)
    }
    return tree
  })
}

/** Names and bytes of all objects but the contents of files, which their names cover. */
function listObjects(repository: Repository): Map<string, Uint8Array | undefined> {
  const names = [...repository.objects()]
  return new Map(
    names.map(({ checksum, type }) => [
      objectPath(checksum, type),
      type === 'file' ? undefined : repository.metadata(checksum, type),
    ]),
  )
}

async function openHostRepository(path: string): Promise<Repository> {
  return openRepository(await readHostTree(path), '', { runtime })
}

const METADATA: Metadata = new Map([
  ['ostree.importer.version', '0.15.3'],
  ['ostree.manifest', JSON.stringify({ text: 'x'.repeat(70_000) })],
  ['version', '42.1'],
])

describe.runIf(requireTool('ostree', 'setfattr', 'getfattr') && process.getuid?.() === 0)('ostree', () => {
  const folder = temporaryFolder()
  const repo = join(folder, 'repo')
  const source = join(folder, 'source')

  function ostree(...args: string[]): Promise<string> {
    return runOk('ostree', [...args, `--repo=${repo}`]).then(({ stdout }) => stdout)
  }

  async function commitWithOstree(tree: FileTree, metadata: Metadata = new Map()): Promise<string> {
    rmSync(source, { recursive: true, force: true })
    rmSync(repo, { recursive: true, force: true })
    mkdirSync(source)
    await writeHostTree(tree, source)
    await ostree('init', '--mode=bare')
    const strings = [...metadata].map(([key, value]) => `--add-metadata-string=${key}=${value}`)
    const time = `--timestamp=@${TIMESTAMP}`
    const args = ['--branch=test/one', '--no-bindings', `--tree=dir=${source}`, time, ...strings]
    return (await ostree('commit', ...args)).trim()
  }

  /** Puts our repository where the tool's was. */
  async function writeOurs(repository: Repository): Promise<void> {
    const tree = createTree()
    writeRepository(repository, tree, 'repo')
    rmSync(repo, { recursive: true, force: true })
    await writeHostTree({ root: lookup(tree, 'repo') as FileTree['root'] }, repo)
  }

  test('commits a tree with every kind of object to the same bytes', async () => {
    const tree = sampleTree()
    const expected = await commitWithOstree(tree, METADATA)
    const ours = createRepository({ runtime })
    const commit = await commitTree(ours, tree, { runtime, timestamp: TIMESTAMP, metadata: METADATA })
    expect(commit).toBe(expected)

    const theirs = await openHostRepository(repo)
    expect(listObjects(ours)).toEqual(listObjects(theirs))
    expect(theirs.refs).toEqual(new Map([['test/one', commit]]))
    expect((await verifyRepository(theirs, { runtime })).findings).toEqual([])
    expect(readCommit(theirs, commit)).toEqual(readCommit(ours, commit))
    // Contents, and the names that share an inode because they are one object.
    const both = [checkoutCommit(ours, commit), checkoutCommit(theirs, commit)] as const
    for (const tree of both)
      for (const { inode } of walkTree(tree))
        if (inode.type === 'symlink') inode.mtime = { seconds: 0, nanoseconds: 0 }
    expect(await differences(...both)).toEqual([])
  })

  test('commits random trees to the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryStorableTree(), async (tree) => {
        const expected = await commitWithOstree(tree)
        const ours = createRepository({ runtime })
        expect(await commitTree(ours, tree, { runtime, timestamp: TIMESTAMP })).toBe(expected)
        expect(listObjects(ours)).toEqual(listObjects(await openHostRepository(repo)))
      }),
      { numRuns: 25, interruptAfterTimeLimit: 30_000 },
    )
  })

  test('finds no fault in our repository, and reads refs, log and trees', async () => {
    const ours = createRepository({ runtime })
    const first = await commitTree(ours, sampleTree(), { runtime, timestamp: 0, subject: 'The first' })
    const second = await commitTree(ours, sampleTree(), {
      runtime,
      timestamp: TIMESTAMP,
      parent: first,
      subject: 'A subject',
      body: 'A body\nof two lines\n',
      metadata: new Map([...METADATA, ['ostree.bootable', true], ['list', ['a', 'bc']]]),
    })
    ours.setDetachedMetadata(second, encodeCommitmeta(new Map([['cached', 'yes']])))
    ours.refs.set('ostree/1/1/0', second)
    ours.refs.set('ostree/container/image/docker_3A__2F__2F_quay_2E_io/os', second)
    ours.refs.set('origin:stable/x86_64', first)
    await writeOurs(ours)

    expect(await ostree('fsck', '--all')).toMatch(
      /object fsck of \d+ commits completed successfully - no errors found/,
    )
    expect((await ostree('refs')).trim().split('\n').sort()).toEqual([...ours.refs.keys()].sort())
    expect((await ostree('rev-parse', 'ostree/1/1/0')).trim()).toBe(second)
    const log = await ostree('log', 'ostree/1/1/0')
    expect(log).toMatch(new RegExp(`commit ${second}[^]*A subject[^]*A body[^]*commit ${first}[^]*The first`))
    expect(await ostree('show', '--print-metadata-key=list', second)).toContain("['a', 'bc']")
    expect(await ostree('show', '--print-detached-metadata-key=cached', second)).toContain("'yes'")
    expect(await ostree('ls', '-X', second, '/usr/bin/ping')).toContain("b'security.capability'")
    expect(await ostree('config', 'get', 'sysroot.bootprefix')).toBe('true\n')

    const target = join(folder, 'checkout')
    await ostree('checkout', second, target)
    const checkout = await readHostTree(target)
    for (const { inode } of walkTree(checkout)) inode.mtime = { seconds: 0, nanoseconds: 0 }
    // A checkout copies empty files, and keeps those of links apart: names are compared one by one.
    expect(await differences(withoutLinks(checkout), withoutLinks(checkoutCommit(ours, second)))).toEqual([])
  })
})

/** The tree with an inode of its own for every name. */
function withoutLinks(tree: FileTree): FileTree {
  const copy = createTree({ ...tree.root })
  for (const { path, inode } of walkTree(tree)) {
    if (path === '') continue
    putInode(copy, path, inode.type === 'directory' ? createDirectory({ ...inode }) : { ...inode })
  }
  return copy
}
