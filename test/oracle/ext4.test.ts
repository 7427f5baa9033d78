import { measureExt4, readExt4, writeExt4 } from '@bootable/filesystems/ext4'
import type { FileTree } from '@bootable/tree'
import { filesystemCompliance } from '../../tooling/compliance/filesystem.ts'
import { LINUX_LIMITS } from '../../tooling/compliance/limits.ts'
import { e2fsck, oracle } from '../../tooling/oracles.ts'

const UUID = '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10'

/** The tree of a filesystem without the lost+found that every writer adds. */
async function readWithoutLostAndFound(source: Parameters<typeof readExt4>[0]): Promise<FileTree> {
  const tree = await (await readExt4(source)).tree()
  tree.root.entries.delete('lost+found')
  return tree
}

oracle('e2fsck', () => {
  for (const [blockSize, randomTrees] of [
    [4096, 140],
    [1024, 80],
  ] as const) {
    const limits = {
      ...LINUX_LIMITS,
      symlinks: { maxTargetBytes: blockSize - 1 },
      xattrs: { maxTotalBytes: blockSize - 400, maxValueBytes: blockSize - 400 },
      boundaries: [blockSize],
    }
    filesystemCompliance({
      name: `ext4 with blocks of ${blockSize} bytes`,
      limits,
      measure: (tree) => measureExt4(tree, { blockSize }).minimumSize,
      write: (tree, device, options) => writeExt4(tree, device, { ...options, uuid: UUID, blockSize, time: 1_700_000_000 }),
      read: readWithoutLostAndFound,
      check: e2fsck,
      noSpace: 'EXT4_NO_SPACE',
      randomTrees,
    })
  }
})
