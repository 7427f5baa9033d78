import { open } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { type ByteSource, MiB } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { readBtrfs } from '@bootable/filesystems/btrfs'
import { EPOCH, type FileTree, walkTree } from '@bootable/tree'
import { expect } from 'vitest'
import { hasNewestBtrfs } from '../../tooling/btrfs-checks.ts'
import { reverseCompliance } from '../../tooling/compliance/reverse.ts'
import { runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { requireTool, runOk } from '../../tooling/oracles.ts'

/** Not that of images that other tests have mounted at the same time: mkfs.btrfs refuses it. */
const UUID = '0e2f6a34-9d0b-4b7c-8f55-52c7d1a3e9b6'

async function emptyImage(image: string): Promise<void> {
  const file = await open(image, 'w')
  await file.truncate(400 * MiB)
  await file.close()
}

async function read(source: ByteSource): Promise<FileTree> {
  const filesystem = await readBtrfs(source, { runtime: nodeRuntime })
  expect(filesystem).toMatchObject({ uuid: UUID, label: 'theirs', size: 400 * MiB, clean: true })
  return filesystem.tree()
}

/** No mkfs.btrfs up to 7.1 stores the numbers of devices, or times to the nanosecond. */
function asStored(tree: FileTree): FileTree {
  for (const { inode } of walkTree(tree)) {
    inode.mtime = { ...inode.mtime, nanoseconds: 0 }
    if (inode.type === 'device') Object.assign(inode, { major: 0, minor: 0 })
  }
  return tree
}

reverseCompliance({
  name: 'mkfs.btrfs --rootdir',
  isPossible: requireTool('mkfs.btrfs'),
  variants: [
    { what: 'the defaults', args: [] },
    { what: 'nodes of 4 KiB', args: ['-n', '4096'] },
    { what: 'nodes of 64 KiB, data in two copies', args: ['-n', '65536', '-d', 'dup'] },
    { what: 'mixed block groups', args: ['--mixed'] },
    { what: 'no extended references, with holes', args: ['-O', '^extref,^no-holes,^skinny-metadata'] },
  ],
  async make(folder, image, args) {
    await emptyImage(image)
    await runOk('mkfs.btrfs', ['-q', '-U', UUID, '-L', 'theirs', ...args, '--rootdir', folder, image])
  },
  async read(source) {
    const tree = await read(source)
    tree.root.mtime = EPOCH
    return tree
  },
  /** That of Debian 12 makes the root itself, now. */
  expected(tree) {
    Object.assign(tree.root, { mode: 0o755, uid: 0, gid: 0, mtime: EPOCH, xattrs: new Map() })
    return asStored(tree)
  },
})

reverseCompliance({
  name: 'the newest mkfs.btrfs --rootdir',
  isPossible: hasNewestBtrfs,
  variants: [
    { what: 'the defaults', args: [] },
    { what: 'zstd', args: ['--compress', 'zstd:15'] },
    { what: 'zlib', args: ['--compress', 'zlib'] },
    { what: 'lzo', args: ['--compress', 'lzo'] },
    { what: 'subvolumes', args: ['--subvol', 'many', '--subvol', 'default-ro:attributes'] },
  ],
  async make(folder, image, args) {
    await emptyImage(image)
    const all = ['-q', '-U', UUID, '-L', 'theirs', ...args, '--rootdir', `/work/${basename(folder)}`]
    await runOkInOracleRoot(dirname(image), 'mkfs.btrfs', [...all, `/work/${basename(image)}`])
  },
  read,
  expected: asStored,
})
