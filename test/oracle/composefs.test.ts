import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readAll, toHex, utf8, zeroSource } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  type Checksum,
  checkoutCommit,
  composefsImage,
  fsVerityDigest,
  openRepository,
} from '@bootable/ostree'
import type { FileTree, RegularFile } from '@bootable/tree'
import {
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  EPOCH,
  ensureDirectory,
  putInode,
  walkTree,
} from '@bootable/tree'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { LINUX_LIMITS } from '../../tooling/compliance/limits.ts'
import { arbitraryTree, patternBytes } from '../../tooling/compliance/trees.ts'
import { composefsDump } from '../../tooling/composefs-dump.ts'
import { readHostTree, writeHostTree } from '../../tooling/host-tree.ts'
import { newestOracle, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'

/** A checksum of each file that depends on nothing but the order of asking. */
function someChecksums(): (file: RegularFile) => Checksum {
  const known = new Map<RegularFile, Checksum>()
  return (file) => {
    const checksum = known.get(file) ?? createHash('sha256').update(`${known.size}`).digest('hex')
    known.set(file, checksum)
    return checksum
  }
}

/** The directories that libostree adds to a root. */
function withRootDirectories(tree: FileTree): FileTree {
  for (const name of ['usr', 'etc', 'boot', 'var', 'sysroot']) {
    if (!tree.root.entries.has(name)) ensureDirectory(tree, name)
  }
  return tree
}

/** What both dumps say alike: a directory's size is the image's, and escapes differ. */
function fieldsOf(dump: string): string[][] {
  const hex = (letter: string): string => `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`
  const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\' }
  return dump
    .trim()
    .split('\n')
    .map((line) => {
      const [path = '', size = '', mode = '', ...rest] = line
        .replace(/\\([nrt\\])/g, (_, letter: string) => hex(escapes[letter] as string))
        .split(' ')
      return [path, mode.startsWith('40') ? '' : size, mode, ...rest.slice(0, 8), ...rest.slice(8).sort()]
    })
    .sort((a, b) => ((a[0] as string) < (b[0] as string) ? -1 : 1))
}

/** Trees whose every part may be too long for the place that it would have. */
function arbitraryExtremes(): fc.Arbitrary<FileTree> {
  const length = fc.oneof(fc.nat(40), fc.constantFrom(500, 1900, 2000, 3900, 4000, 4050, 4096, 9000))
  const xattrName = fc.constantFrom(
    ...[
      'user.a',
      'user.longer.name',
      'trusted.overlay.opaque',
      'trusted.b',
      'security.selinux',
      'system.other',
    ],
    ...['system.posix_acl_access', 'strange', 'user.', 'trusted.overlay.overlay.redirect'],
  )
  // Few values, so that many inodes share them; of letters, as mkcomposefs takes only short lines.
  const value = fc.tuple(length, fc.nat(2)).map(([size, fill]) => new Uint8Array(size).fill(0x61 + fill))
  const xattrs = fc.array(fc.tuple(xattrName, value), { maxLength: 3 })
  const entry = fc.record({
    parent: fc.nat(),
    nameLength: fc.integer({ min: 3, max: 250 }),
    kind: fc.constantFrom('file', 'file', 'symlink', 'symlink', 'directory'),
    size: fc.oneof(
      fc.nat(10_000),
      fc.integer({ min: 32, max: 52 }).map((bits) => 2 ** bits + 1),
    ),
    target: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 3800, max: 4095 })),
    xattrs,
    uid: fc.constantFrom(0, 65_535, 65_536),
  })
  return fc.tuple(xattrs, fc.array(entry, { minLength: 50, maxLength: 250 })).map(([root, entries]) => {
    const tree = createTree({ xattrs: new Map(root) })
    const directories = [tree.root]
    for (const [index, { parent, nameLength, kind, size, target, ...rest }] of entries.entries()) {
      const attributes = { uid: rest.uid, xattrs: new Map(rest.xattrs) }
      const made =
        kind === 'file'
          ? createFile(zeroSource(size), attributes)
          : kind === 'symlink'
            ? createSymlink('t'.repeat(target), attributes)
            : createDirectory(attributes)
      const directory = directories[parent % directories.length] as (typeof directories)[number]
      directory.entries.set(`${index}`.padEnd(nameLength, '-'), made)
      if (made.type === 'directory') directories.push(made)
    }
    return tree
  })
}

/** One of everything that has a length, around the lengths at which something changes. */
function everyLength(): FileTree {
  const tree = createTree({ xattrs: new Map([['security.selinux', utf8('root_t\0')]]) })
  for (const bits of [0, 11, 12, 13, 31, 32, 40, 43, 44]) {
    for (const step of [-1, 0, 1]) {
      putInode(tree, `usr/size ${bits} ${step}`, createFile(zeroSource(2 ** bits + step)))
    }
  }
  for (const length of [1, 59, 2000, 3900, 4000, 4063, 4064, 4065, 4095]) {
    putInode(tree, `link${length}`, createSymlink('x'.repeat(length)))
  }
  for (const count of [1, 40, 41, 42, 43, 44, 45, 100, 3000]) {
    for (let index = 0; index < count; index++) {
      putInode(tree, `many${count}/a name with a number ${index}`, createFile(''))
    }
  }
  for (const uid of [65_535, 65_536, 2 ** 32 - 2]) putInode(tree, `owned by ${uid}`, createFile('x', { uid }))
  for (const name of ['00', 'ff', '!', '-', 'Grüße', '\u{10ffff}', 'n'.repeat(255), 'a\\b c\n']) {
    putInode(tree, `etc/${name}`, createFile('x'))
    putInode(tree, name, createFile('x'))
  }
  // More shared attributes than an inode refers to.
  const xattrs = new Map(Array.from({ length: 150 }, (_, index) => [`user.${index}`, utf8(`${index % 7}`)]))
  for (const name of ['first', 'second', 'third']) putInode(tree, name, createDirectory({ xattrs }))
  return tree
}

newestOracle(['mkcomposefs', 'composefs-info'], () => {
  const folder = temporaryFolder()

  /** What mkcomposefs makes of trees, in format version 0, which libostree asks for. */
  async function theirs(trees: readonly FileTree[]): Promise<Uint8Array[]> {
    for (const [index, tree] of trees.entries()) {
      const checksums = someChecksums()
      const dump = composefsDump(tree, (file) => {
        const checksum = checksums(file)
        return `${checksum.slice(0, 2)}/${checksum.slice(2)}.file`
      })
      writeFileSync(join(folder, `${index}.dump`), dump)
    }
    const script =
      'cd /work; for d in *.dump; do mkcomposefs --from-file --max-version=0 $d $d.cfs; rm $d; done'
    await runOkInOracleRoot(folder, 'bash', ['-ec', script])
    return trees.map((_, index) => readFileSync(join(folder, `${index}.dump.cfs`)))
  }

  async function ours(tree: FileTree): Promise<Uint8Array> {
    // Checksums are given in the order of the tree in both.
    const checksums = someChecksums()
    for (const { inode } of walkTree(tree))
      if (inode.type === 'file' && inode.content.size > 0) checksums(inode)
    return readAll((await composefsImage(tree, { checksums })).content)
  }

  async function expectEqual(trees: readonly FileTree[]): Promise<void> {
    const expected = await theirs(trees)
    for (const [index, tree] of trees.entries()) {
      const image = await ours(tree)
      const at = image.findIndex((byte, offset) => byte !== expected[index]?.[offset])
      expect({ index, length: image.length, firstDifference: at }).toEqual({
        index,
        length: expected[index]?.length,
        firstDifference: -1,
      })
    }
  }

  test('equals mkcomposefs on random trees', async () => {
    const trees = fc.sample(arbitraryTree(LINUX_LIMITS), { numRuns: 80, seed: 12 })
    await expectEqual(trees.map(withRootDirectories))
  })

  test('equals mkcomposefs where tails, tables and attributes do not fit their block', async () => {
    const trees = fc.sample(arbitraryExtremes(), { numRuns: 25, seed: 5 })
    await expectEqual(trees.map(withRootDirectories))
  })

  test('equals mkcomposefs on sizes, links, owners and names of every length', async () => {
    await expectEqual([withRootDirectories(everyLength())])
  })

  test('has the digest that composefs-info measures, and shows what the tree says', async () => {
    const tree = withRootDirectories(everyLength())
    const { content, digest } = await composefsImage(tree, { checksums: () => 'ab'.repeat(32) })
    writeFileSync(join(folder, 'ours'), await readAll(content))
    writeFileSync(join(folder, 'file'), patternBytes(1_234_567))
    const script = 'cd /work; composefs-info measure-file ours file; composefs-info dump ours > listing'
    const { stdout } = await runOkInOracleRoot(folder, 'bash', ['-ec', script])
    const file = toHex(await fsVerityDigest(patternBytes(1_234_567)))
    expect(stdout.trim().split('\n')).toEqual([digest, file])
    const listing = readFileSync(join(folder, 'listing'), 'utf8')
    expect(fieldsOf(listing)).toEqual(fieldsOf(composefsDump(tree, () => `ab/${'ab'.repeat(31)}.file`)))
  })
})

/** Random trees of what a commit holds, and the host's filesystem. */
function arbitraryStorableTree(): fc.Arbitrary<FileTree> {
  const limits = { ...LINUX_LIMITS, devices: false as const, fifos: false }
  return arbitraryTree(limits).map((tree) => {
    for (const { inode } of walkTree(tree)) {
      inode.mtime = EPOCH
      // xattr(7): user attributes are for files and directories only.
      if (inode.type !== 'symlink') continue
      inode.xattrs = new Map([...inode.xattrs].filter(([name]) => !name.startsWith('user.')))
    }
    return tree
  })
}

newestOracle('ostree', () => {
  const folder = temporaryFolder()

  test('equals what ostree makes of a commit of its own', async () => {
    const source = join(folder, 'source')
    mkdirSync(source)
    for (const [index, tree] of fc.sample(arbitraryStorableTree(), { numRuns: 10, seed: 3 }).entries()) {
      await writeHostTree(tree, join(source, `${index}`))
    }
    const script = `
      cd /work
      ostree init --repo=repo --mode=bare
      trees="--tree=dir=source --tree=dir=/etc --tree=dir=/usr/lib/grub"
      ostree commit --repo=repo --branch=b --no-bindings $trees > commit
      ostree checkout --repo=repo --composefs-noverity $(cat commit) theirs.cfs`
    await runOkInOracleRoot(folder, 'bash', ['-ec', script])
    const repository = await openRepository(await readHostTree(folder), 'repo', { runtime: nodeRuntime })
    const tree = checkoutCommit(repository, readFileSync(join(folder, 'commit'), 'utf8').trim())
    const checksums = (file: RegularFile): Checksum => repository.checksum(file) as Checksum
    const { content } = await composefsImage(tree, { checksums, runtime: nodeRuntime })
    const [ours, theirs] = [await readAll(content), readFileSync(join(folder, 'theirs.cfs'))]
    expect([...walkTree(tree)].length).toBeGreaterThan(500)
    expect(ours.length).toBe(theirs.length)
    expect(Buffer.compare(ours, theirs)).toBe(0)
  })
})
