import { writeFileSync } from 'node:fs'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { GiB, MiB, memoryDevice } from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import { measureXfs, readXfs, readXfsSuperblock, writeXfs } from '@bootable/filesystems/xfs'
import { createFile, createTree, putInode } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { canAskKernel, kernelCompliance, withWritableMount } from '../../tooling/compliance/kernel.ts'
import { LINUX_LIMITS } from '../../tooling/compliance/limits.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { requireTool, runOk, temporaryFolder, xfsRepair } from '../../tooling/oracles.ts'

const OPTIONS = { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10', time: 1_700_000_000 }

for (const agCount of [4, 3]) {
  kernelCompliance({
    type: 'xfs',
    what: `${agCount} groups`,
    options: 'norecovery',
    limits: {
      ...LINUX_LIMITS,
      symlinks: { maxTargetBytes: 1023 },
      devices: { major: 0x1ff, minor: 0x3_ffff },
      xattrs: { maxTotalBytes: 60_000, maxValueBytes: 60_000 },
    },
    measure: (tree) => measureXfs(tree, { agCount }).minimumSize,
    write: (tree, device) => writeXfs(tree, device, { ...OPTIONS, agCount }),
    randomTrees: 8,
    afterwards: {
      check: xfsRepair,
      async read(source) {
        const filesystem = await readXfs(source)
        expect(filesystem).toMatchObject({ clean: true })
        return filesystem.tree()
      },
    },
  })
}

describe.runIf(canAskKernel('xfs') && requireTool('xfs_growfs', 'xfs_repair'))('the kernel', () => {
  const image = join(temporaryFolder(), 'image')

  test('fills a filesystem that was made just large enough to the last block', async () => {
    const tree = createTree()
    for (let index = 0; index < 3000; index++) {
      const xattrs = new Map([['user.label', patternBytes(index % 400)]])
      putInode(tree, `many/${index}`, createFile(patternBytes(index * 20), { xattrs }))
    }
    putInode(tree, 'large', createFile(patternBytes(150 * MiB)))
    const device = memoryDevice(measureXfs(tree).minimumSize)
    await writeXfs(tree, device, OPTIONS)
    await saveDevice(device, image)
    await withWritableMount(image, 'xfs', async (mounted) => {
      const fill = (): void => {
        for (let index = 0; index < 10_000; index++) {
          writeFileSync(join(mounted, `many/${index} more`), patternBytes(100_000))
        }
      }
      expect(fill).toThrow(/ENOSPC/)
    })
    expect(await xfsRepair(image)).toEqual([])
  })

  test('grows it while it is mounted, to more groups', async () => {
    const tree = createTree()
    putInode(tree, 'file', createFile(patternBytes(9 * MiB)))
    const device = memoryDevice(300 * MiB)
    await writeXfs(tree, device, OPTIONS)
    await saveDevice(device, image)
    await withWritableMount(image, 'xfs', async (mounted, loop) => {
      await truncate(image, 3 * GiB)
      await runOk('losetup', ['--set-capacity', loop])
      await runOk('xfs_growfs', [mounted])
      writeFileSync(join(mounted, 'after'), patternBytes(300 * MiB))
    })
    expect(await xfsRepair(image)).toEqual([])
    const source = await openFileSource(image)
    expect(await readXfsSuperblock(source)).toMatchObject({ size: 3 * GiB, agCount: 41 })
    const { clean, tree: read } = await readXfs(source)
    expect(clean).toBe(true)
    expect([...(await read()).root.entries.keys()].sort()).toEqual(['after', 'file'])
    await source.close()
  })
})
