import { join } from 'node:path'
import { MiB } from '@bootable/bytes'
import { createFileDevice, openFileSource } from '@bootable/bytes/node'
import { type DiskPlan, mountsOf, openDisk, planDisk, writeDisk } from '@bootable/disk'
import { createFile, createTree, type FileTree, putInode } from '@bootable/tree'
import { beforeAll, describe, expect, test } from 'vitest'
import { differences } from '../../tooling/compliance/filesystem.ts'
import { readHostTree } from '../../tooling/host-tree.ts'
import {
  canLoopMount,
  e2fsck,
  fsckFat,
  requireTool,
  run,
  runOk,
  temporaryFolder,
  withLoopMount,
} from '../../tooling/oracles.ts'

const SECTOR = 4096
const mtime = { seconds: 1_700_000_000, nanoseconds: 0 }

function sampleTree(): FileTree {
  const tree = createTree({ mtime })
  const put = (path: string, size: number): void => {
    const data = new Uint8Array(size).map((_, index) => (index * 7) ^ (index >> 8))
    putInode(tree, path, createFile(data, { mtime }))
  }
  for (let index = 0; index < 40; index++) put(`usr/share/file ${index}`, index * 997)
  put('boot/vmlinuz', 3 * MiB)
  for (let index = 0; index < 200; index++) put(`boot/efi/EFI/many/a long name ${index}.efi`, index)
  put('boot/efi/EFI/BOOT/BOOTX64.EFI', MiB + 1)
  return tree
}

/** The file as a disk with sectors of 4096 bytes, or a part of it. */
async function withLoopDevice<T>(
  path: string,
  range: { readonly start: number; readonly size: number },
  use: (device: string) => Promise<T>,
): Promise<T> {
  const part = ['--offset', String(range.start), '--sizelimit', String(range.size)]
  const setup = ['--find', '--show', '--read-only', '--sector-size', String(SECTOR), ...part, path]
  const device = (await runOk('losetup', setup)).stdout.trim()
  try {
    return await use(device)
  } finally {
    await run('losetup', ['--detach', device])
  }
}

const tools = requireTool('sgdisk', 'sfdisk', 'e2fsck', 'fsck.fat', 'blkid', 'getfattr')

describe.runIf(tools && canLoopMount('ext4'))('a disk of 4096-byte sectors', () => {
  const path = join(temporaryFolder(), 'disk.raw')
  let plan: DiskPlan
  beforeAll(async () => {
    const system = { architecture: 'x86_64', layout: 'plain', sysroot: sampleTree() } as const
    plan = planDisk(system, { seed: 'oracle', size: 'minimum', sectorSize: SECTOR })
    const device = await createFileDevice(path, { size: plan.size })
    await writeDisk(plan, system, device)
    await device.close()
  })

  test('sgdisk and sfdisk find nothing, and see every partition', async () => {
    await withLoopDevice(path, { start: 0, size: plan.size }, async (device) => {
      const { stdout } = await runOk('sgdisk', ['-v', device])
      expect(stdout).toMatch(/^No problems found/m)
      expect((await runOk('sfdisk', ['--verify', device])).stdout).toMatch(/No errors detected/)
      const { partitiontable } = JSON.parse((await runOk('sfdisk', ['-J', device])).stdout)
      expect(partitiontable).toMatchObject({ sectorsize: SECTOR, id: plan.uuid.toUpperCase() })
      expect(partitiontable.partitions).toMatchObject(
        plan.partitions.map(({ type, uuid, start, size }) => ({
          type: type.toUpperCase(),
          uuid: uuid.toUpperCase(),
          start: start / SECTOR,
          size: size / SECTOR,
        })),
      )
    })
  })

  test('e2fsck, fsck.fat and blkid find every filesystem faultless', async () => {
    for (const { content, ...range } of plan.partitions) {
      const [filesystem] = mountsOf(content)
      await withLoopDevice(path, range, async (device) => {
        expect(await (filesystem?.type === 'vfat' ? fsckFat(device) : e2fsck(device))).toEqual([])
        const { stdout } = await runOk('blkid', ['-p', '-o', 'export', device])
        expect(stdout).toContain(`UUID=${filesystem?.uuid}\n`)
      })
    }
  })

  test('the kernel mounts ext4, and our reader reads the same', async () => {
    const file = await openFileSource(path)
    try {
      const disk = await openDisk(file)
      expect(disk.sectorSize).toBe(SECTOR)
      for (const partition of disk.partitions) {
        const { start: offset, size } = partition
        if (partition.filesystem?.type !== 'ext4') continue
        const mount = { offset, size, sectorSize: SECTOR, type: 'ext4', options: 'noload' }
        const seen = await withLoopMount(path, mount, async (folder) => {
          const tree = await readHostTree(folder)
          return differences(await disk.readTree(partition), tree)
        })
        expect(seen).toEqual([])
      }
    } finally {
      await file.close()
    }
  })
})
