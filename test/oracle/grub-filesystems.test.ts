import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DiskCustomization } from '@bootable/blueprint'
import { MiB, memoryDevice } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { planDisk, type RootFilesystem, writeDisk } from '@bootable/disk'
import { createFile, createSymlink, createTree, type FileTree, putInode } from '@bootable/tree'
import { beforeAll, describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { requireOracleRoot, runInOracleRoot } from '../../tooling/oracle-root.ts'
import { requireTool, run, temporaryFolder } from '../../tooling/oracles.ts'

/** GRUB's drivers for disks and filesystems, the code that its modules are made of, as a program. */
const TOOL = 'grub-fstest'

interface Place {
  readonly name: string
  readonly rootfs?: RootFilesystem
  readonly disk?: DiskCustomization
  /** Where GRUB finds `/boot`. */
  readonly boot: string
}

const volume = { name: 'rootlv', minsize: 160 * MiB, mountpoint: '/', fs_type: 'xfs' } as const

const PLACES: readonly Place[] = [
  { name: 'ext4', rootfs: 'ext4', boot: '(loop0,gpt3)' },
  { name: 'xfs', rootfs: 'xfs', boot: '(loop0,gpt3)' },
  { name: 'a /boot apart from a btrfs root', rootfs: 'btrfs', boot: '(loop0,gpt3)' },
  { name: 'a btrfs root, compressed with zstd', rootfs: 'btrfs', boot: '(loop0,gpt4)/root/usr' },
  {
    name: 'a root on ext4, which may have fs-verity',
    disk: { partitions: [{ mountpoint: '/', fs_type: 'ext4', minsize: 160 * MiB }] },
    boot: '(loop0,gpt3)/boot',
  },
  {
    name: 'a subvolume of a btrfs',
    disk: {
      partitions: [
        {
          ...{ type: 'btrfs', minsize: 256 * MiB },
          subvolumes: [
            { name: 'root', mountpoint: '/' },
            { name: 'boot', mountpoint: '/boot' },
          ],
        },
      ],
    },
    boot: '(loop0,gpt3)/boot',
  },
  {
    name: 'a dos table',
    disk: { type: 'dos', partitions: [{ mountpoint: '/', fs_type: 'xfs', minsize: 320 * MiB }] },
    boot: '(loop0,msdos2)/boot',
  },
  {
    name: 'a logical volume',
    disk: {
      partitions: [
        { mountpoint: '/boot', fs_type: 'ext4', minsize: 64 * MiB },
        {
          type: 'lvm',
          name: 'vg00',
          minsize: 400 * MiB,
          logical_volumes: [{ ...volume, minsize: 320 * MiB }],
        },
      ],
    },
    boot: '(lvm/vg00-rootlv)/usr',
  },
]

/** Kernels, a directory of many names and links, in `/boot` and once more in `/usr`. */
function machineTree(kernel: Uint8Array): FileTree {
  const tree = createTree()
  for (const top of ['boot', 'usr']) {
    putInode(tree, `${top}/ostree/vmlinuz-6.1.0`, createFile(kernel))
    putInode(tree, `${top}/loader.1/entries/ostree-1.conf`, createFile('title Test\n'))
    putInode(tree, `${top}/loader`, createSymlink('loader.1'))
    for (let index = 0; index < 400; index++) {
      putInode(tree, `${top}/grub2/i386-pc/module-${index}.mod`, createFile(`module ${index}`))
    }
  }
  return tree
}

describe.runIf(requireTool(TOOL)).each(PLACES)('GRUB reads $name', ({ rootfs, disk, boot }) => {
  const folder = temporaryFolder()
  // Half of it can be compressed.
  const kernel = patternBytes(3 * MiB + 17).fill(7, MiB, 2 * MiB)

  beforeAll(async () => {
    const sysroot = machineTree(kernel)
    const system = { architecture: 'x86_64', layout: 'plain', sysroot, root: sysroot } as const
    const options = { seed: 'grub', ...(rootfs && { rootfs }), ...(disk && { disk }) }
    const plan = planDisk(system, { ...options, ...(rootfs && { size: 'minimum' }) })
    const device = memoryDevice(plan.size)
    await writeDisk(plan, system, device, { runtime: nodeRuntime })
    await saveDevice(device, join(folder, 'disk.raw'))
    await writeFile(join(folder, 'kernel'), kernel)
    await writeFile(join(folder, 'module'), 'module 399')
    await writeFile(join(folder, 'entry'), 'title Test\n')
  })

  const files = [
    ['ostree/vmlinuz-6.1.0', 'kernel'],
    ['grub2/i386-pc/module-399.mod', 'module'],
    ['loader/entries/ostree-1.conf', 'entry'],
  ] as const

  test('by the version of this machine', async () => {
    for (const [path, file] of files) {
      const found = await run(TOOL, [join(folder, 'disk.raw'), 'cmp', `${boot}/${path}`, join(folder, file)])
      expect(found, path).toMatchObject({ status: 0, stderr: '' })
    }
    const other = [join(folder, 'disk.raw'), 'cmp', `${boot}/${files[0][0]}`, join(folder, 'module')]
    expect((await run(TOOL, other)).status).not.toBe(0)
  })

  test.runIf(requireOracleRoot(TOOL))('by the newest version', async () => {
    for (const [path, file] of files) {
      const args = ['/work/disk.raw', 'cmp', `${boot}/${path}`, `/work/${file}`]
      expect(await runInOracleRoot(folder, TOOL, args), path).toMatchObject({ status: 0, stderr: '' })
    }
  })
})
