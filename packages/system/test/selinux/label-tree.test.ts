import { decodeUtf8 } from '@bootable/bytes'
import {
  deployPlain,
  labelBytes,
  labelPlain,
  labelTree,
  readSelinuxPolicy,
  SELINUX_XATTR,
  type SelinuxPolicy,
} from '@bootable/system'
import {
  createDevice,
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  type FileTree,
  type Inode,
  lookup,
  putInode,
  walkTree,
} from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { policyTree } from './policy-tree.ts'

const CONTEXTS =
  '/ root\n/.* file\n/etc(/.*)? etc\n/etc/shadow -- shadow\n/mnt mnt\n/proc <<none>>\n/dev/.* -c device\n/skip <<none>>\n'

async function samplePolicy(): Promise<SelinuxPolicy> {
  return (await readSelinuxPolicy(policyTree({ '': CONTEXTS }))) as SelinuxPolicy
}

/** Labels by path, the NUL at their end shown as `!`. */
function labelsOf(tree: FileTree): Record<string, string | undefined> {
  return Object.fromEntries([...walkTree(tree)].map(({ path, inode }) => [`/${path}`, labelOf(inode)]))
}

function labelOf(inode: Inode | undefined): string | undefined {
  const value = inode?.xattrs.get(SELINUX_XATTR)
  return value && decodeUtf8(value)?.replace('\0', '!')
}

describe('labelTree', () => {
  test('every inode by its path and type', async () => {
    const tree = createTree()
    putInode(tree, 'etc/shadow', createFile(''))
    putInode(tree, 'etc/link', createSymlink('shadow'))
    putInode(tree, 'dev/null', createDevice('character', 1, 3))
    putInode(tree, 'proc', createDirectory())
    putInode(tree, 'skip', createFile('', { xattrs: new Map([[SELINUX_XATTR, labelBytes('kept')]]) }))
    labelTree(tree.root, '/', await samplePolicy(), { replace: true })
    expect(labelsOf(tree)).toEqual({
      '/': 'root!',
      '/dev': 'file!',
      '/dev/null': 'device!',
      '/etc': 'etc!',
      '/etc/link': 'etc!',
      '/etc/shadow': 'shadow!',
      '/proc': 'mnt!',
      '/skip': 'kept!',
    })
  })

  test('below a path; labels that are there stay unless they are replaced', async () => {
    const policy = await samplePolicy()
    const tree = createTree()
    putInode(tree, 'shadow', createFile('', { xattrs: new Map([[SELINUX_XATTR, labelBytes('old')]]) }))
    putInode(tree, 'new', createFile(''))
    labelTree(tree.root, '/etc/', policy, { replace: false })
    expect(labelsOf(tree)).toEqual({ '/': 'etc!', '/new': 'etc!', '/shadow': 'old!' })
    labelTree(tree.root, '/etc', policy, { replace: true })
    expect(labelsOf(tree)).toEqual({ '/': 'etc!', '/new': 'etc!', '/shadow': 'shadow!' })
  })

  test('files that other trees share are copied, not changed; what is right already is kept', async () => {
    const policy = await samplePolicy()
    const shared = createFile('content')
    const right = createFile('', { xattrs: new Map([[SELINUX_XATTR, labelBytes('file')]]) })
    const tree = createTree()
    putInode(tree, 'a', shared)
    putInode(tree, 'b', right)
    labelTree(tree.root, '/', policy, { replace: true })
    expect(shared.xattrs.size).toBe(0)
    expect(lookup(tree, 'a')).toMatchObject({ content: shared.content })
    expect(lookup(tree, 'b')).toBe(right)
  })

  describe('a file with several names', () => {
    async function linked(hardLinks?: 'first' | 'split'): Promise<FileTree> {
      const file = createFile('secret')
      const tree = createTree()
      putInode(tree, 'z', file)
      putInode(tree, 'etc/shadow', file)
      putInode(tree, 'etc/shadow-', file)
      putInode(tree, 'usr/a', file)
      labelTree(tree.root, '/', await samplePolicy(), { replace: true, ...(hardLinks && { hardLinks }) })
      return tree
    }

    test('takes the label of the first, as setfiles does', async () => {
      const tree = await linked()
      const file = lookup(tree, 'etc/shadow')
      expect(labelOf(file)).toBe('shadow!')
      for (const path of ['etc/shadow-', 'usr/a', 'z']) expect(lookup(tree, path)).toBe(file)
    })

    test('takes the label of another name where the policy has none for the first', async () => {
      const file = createFile('')
      const tree = createTree()
      putInode(tree, 'a', file)
      putInode(tree, 'skip', file)
      const contexts = { '': '/a <<none>>\n/skip known\n' }
      const policy = (await readSelinuxPolicy(policyTree(contexts))) as SelinuxPolicy
      labelTree(tree.root, '/', policy, { replace: true })
      expect(labelOf(lookup(tree, 'a'))).toBe('known!')
      expect(lookup(tree, 'skip')).toBe(lookup(tree, 'a'))
    })

    test('is one file in several trees, if they are labelled with one map', async () => {
      const policy = await samplePolicy()
      const file = createFile('shared')
      const copies = new Map<Inode, readonly Inode[]>()
      const trees = ['usr/a', 'usr/b'].map((path) => {
        const tree = createTree()
        putInode(tree, path, file)
        labelTree(tree.root, '/', policy, { replace: true, hardLinks: 'split', copies })
        return lookup(tree, path)
      })
      expect(labelOf(trees[0])).toBe('file!')
      expect(trees[1]).toBe(trees[0])
    })

    test('falls apart into one for each label, as in a commit', async () => {
      const tree = await linked('split')
      expect(labelOf(lookup(tree, 'etc/shadow'))).toBe('shadow!')
      expect(labelOf(lookup(tree, 'etc/shadow-'))).toBe('etc!')
      expect(labelOf(lookup(tree, 'usr/a'))).toBe('file!')
      expect(lookup(tree, 'z')).toBe(lookup(tree, 'usr/a'))
    })
  })
})

describe('labelPlain', () => {
  async function deployed(tree: FileTree) {
    putInode(tree, 'etc/os-release', createFile('ID=test\n'))
    putInode(tree, 'usr/lib/modules/6.12.0/vmlinuz', createFile('kernel'))
    putInode(tree, 'usr/lib/modules/6.12.0/initramfs.img', createFile('initramfs'))
    const files = [{ path: '/etc/motd', data: 'hello' }]
    return deployPlain(tree, {
      blueprint: { customizations: { files } },
      architecture: 'amd64',
      seed: 's',
      clock: 0,
    })
  }

  test('labels image and blueprint, and leaves the tree of the image alone', async () => {
    const tree = policyTree({ '': CONTEXTS })
    const system = await deployed(tree)
    expect(await labelPlain(system)).toMatchObject({ type: 'targeted' })
    expect([...walkTree(system.sysroot)].filter(({ inode }) => !inode.xattrs.has(SELINUX_XATTR))).toEqual([])
    expect(labelOf(lookup(system.sysroot, 'etc/motd'))).toBe('etc!')
    expect([...walkTree(tree)].filter(({ inode }) => inode.xattrs.size > 0)).toEqual([])
  })

  test('does nothing without a policy', async () => {
    const system = await deployed(createTree())
    expect(await labelPlain(system)).toBeUndefined()
    expect([...walkTree(system.sysroot)].filter(({ inode }) => inode.xattrs.size > 0)).toEqual([])
  })
})
