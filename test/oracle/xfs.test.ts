import { BootableError, type ByteSource, MiB, memoryDevice } from '@bootable/bytes'
import { measureXfs, readXfs, type WriteXfsOptions, writeXfs } from '@bootable/filesystems/xfs'
import type { FileTree } from '@bootable/tree'
import { createFile, createTree, putInode } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { type FilesystemSubject, filesystemCompliance } from '../../tooling/compliance/filesystem.ts'
import { type FilesystemLimits, LINUX_LIMITS } from '../../tooling/compliance/limits.ts'
import { noiseCompliance } from '../../tooling/compliance/noise.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { oracle, xfsRepair } from '../../tooling/oracles.ts'
import { hasNewestXfsRepair, xfsCheckers } from '../../tooling/xfs-checkers.ts'

const OPTIONS: WriteXfsOptions = { uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10', time: 1_700_000_000 }

const LIMITS: FilesystemLimits = {
  ...LINUX_LIMITS,
  symlinks: { maxTargetBytes: 1023 },
  devices: { major: 0x1ff, minor: 0x3_ffff },
  xattrs: { maxTotalBytes: 66_000, maxValueBytes: 65_536 },
  boundaries: [4096],
}

async function readTree(source: ByteSource): Promise<FileTree> {
  const filesystem = await readXfs(source)
  expect(filesystem.clean).toBe(true)
  return filesystem.tree()
}

oracle('xfs_repair', () => {
  for (const [sectorSize, randomTrees] of [
    [512, 140],
    [4096, 60],
  ] as const) {
    const { check, checkKept } = xfsCheckers()
    const name = `xfs on sectors of ${sectorSize} bytes`
    const subject: FilesystemSubject = {
      name,
      limits: LIMITS,
      measure: (tree) => measureXfs(tree, { sectorSize }).minimumSize,
      write: (tree, device, options) => writeXfs(tree, device, { ...options, ...OPTIONS, sectorSize }),
      read: readTree,
      check,
      noSpace: 'XFS_NO_SPACE',
      randomTrees,
    }
    filesystemCompliance(subject)
    if (sectorSize === 512) noiseCompliance({ ...subject, check: xfsRepair })
    describe.runIf(hasNewestXfsRepair)(name, () => {
      test('the newest xfs_repair finds nothing either', async () => {
        expect(await checkKept()).toEqual([])
      }, 300_000)
    })
  }
})

describe('devices that do not take the tree', () => {
  test('too small: the numbers are named and nothing is written', async () => {
    const tree = createTree()
    putInode(tree, 'large', createFile({ size: 900 * MiB, read: async () => {} }))
    const { minimumSize } = measureXfs(tree)
    for (const size of [minimumSize - MiB, 200 * MiB]) {
      const device = { ...memoryDevice(size), write: () => Promise.reject(new Error('written')) }
      const error = await writeXfs(tree, device, OPTIONS).catch((reason: unknown) => reason)
      if (!BootableError.is(error)) throw error
      expect(error.code).toBe('XFS_NO_SPACE')
      expect(error.details).toMatchObject({ size, minimum: minimumSize })
    }
  })

  test('full while writing: the error of the device comes through, and no superblock is there', async () => {
    const tree = createTree()
    putInode(tree, 'large', createFile(patternBytes(20 * MiB)))
    const device = memoryDevice(300 * MiB)
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    let writes = 0
    const failing = {
      ...device,
      write: (offset: number, data: Uint8Array) =>
        ++writes > 8 ? Promise.reject(full) : device.write(offset, data),
    }
    await expect(writeXfs(tree, failing, OPTIONS)).rejects.toBe(full)
    await expect(readXfs(device)).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
  })
})
