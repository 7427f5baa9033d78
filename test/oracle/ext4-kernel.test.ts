import { writeFileSync } from 'node:fs'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { GiB, MiB, memoryDevice } from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import { measureExt4, readExt4, readExt4Superblock, writeExt4 } from '@bootable/filesystems/ext4'
import { createFile, createTree, putInode } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import {
  canAskKernel,
  hasCapability,
  kernelCompliance,
  withWritableMount,
} from '../../tooling/compliance/kernel.ts'
import { noiseDevice } from '../../tooling/compliance/noise.ts'
import { sampleTree } from '../../tooling/compliance/sample-tree.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { e2fsck, requireTool, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const OPTIONS = { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10', time: 1_700_000_000 }

for (const [blockSize, createDevice] of [
  [4096, memoryDevice],
  [1024, memoryDevice],
  [4096, noiseDevice],
] as const) {
  kernelCompliance({
    type: 'ext4',
    what: `blocks of ${blockSize}${createDevice === noiseDevice ? ' on a device of noise' : ''}`,
    createDevice,
    options: 'noload',
    measure: (tree) => measureExt4(tree, { blockSize }).minimumSize,
    write: (tree, device) => writeExt4(tree, device, { ...OPTIONS, blockSize }),
    ownName: 'lost+found',
    randomTrees: 8,
    afterwards: {
      check: e2fsck,
      async read(source) {
        expect(await readExt4Superblock(source)).toMatchObject({ clean: true })
        return (await readExt4(source)).tree()
      },
    },
  })
}

const isPossible = canAskKernel('ext4') && requireTool('resize2fs')
const CAP_SYS_RESOURCE = 24
/** Growing a mounted ext4 takes CAP_SYS_RESOURCE, which the root of a container may not have. */
const mayGrow = isPossible && hasCapability(CAP_SYS_RESOURCE)
if (!mayGrow) console.warn('tests skipped: growing a mounted ext4 takes CAP_SYS_RESOURCE')

describe.runIf(isPossible)('resize2fs', () => {
  const image = join(temporaryFolder(), 'image')

  test.runIf(mayGrow)('grows online', async () => {
    const device = memoryDevice(200 * MiB)
    await writeExt4(sampleTree(), device, OPTIONS)
    await saveDevice(device, image)
    await withWritableMount(image, 'ext4', async (mounted, loop) => {
      await truncate(image, 3 * GiB)
      await runOk('losetup', ['--set-capacity', loop])
      await runOk('resize2fs', [loop])
      writeFileSync(join(mounted, 'after'), patternBytes(300 * MiB))
    })
    expect(await e2fsck(image)).toEqual([])
    const source = await openFileSource(image)
    expect(await readExt4Superblock(source)).toMatchObject({ size: 3 * GiB, clean: true })
    await source.close?.()
  })

  test('grows offline, from a small device and over a flex group', async () => {
    const tree = createTree()
    putInode(tree, 'file', createFile(patternBytes(9 * MiB)))
    for (const [size, grown, blockSize] of [
      [40 * MiB, GiB, 1024],
      [200 * MiB, 5 * GiB, 4096],
      [GiB, 30 * GiB, 4096],
    ] as const) {
      const device = memoryDevice(size)
      await writeExt4(tree, device, { ...OPTIONS, blockSize })
      await saveDevice(device, image)
      await truncate(image, grown)
      await runOk('resize2fs', [image])
      expect(await e2fsck(image)).toEqual([])
    }
  })
})
