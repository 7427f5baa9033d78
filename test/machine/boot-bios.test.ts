import { join } from 'node:path'
import { installBootloader, readBootCode } from '@bootable/bootloader'
import { MiB, memoryDevice } from '@bootable/bytes'
import { PARTITION_TYPES, type PlannedPartition, writeDisk } from '@bootable/disk'
import { cloneTree, type InstalledSystem, type MountPoint } from '@bootable/system'
import { createFile, type FileTree, putInode } from '@bootable/tree'
import { beforeAll, describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { grubBuilds } from '../../tooling/grub-builds.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { bootDisk, requireMachine } from '../../tooling/qemu.ts'
import { sampleInitramfs } from '../../tooling/sample/layers.ts'
import { buildTinyKernel, fnv1a } from '../../tooling/sample/tiny-kernel.ts'

const filesystem = (path: string, type: MountPoint['type'], uuid: string): MountPoint => ({
  ...{ path, type, uuid, label: '', options: 'defaults', freq: 0, passno: 0 },
})
const ROOT = filesystem('/', 'ext4', 'aaaaaaaa-0000-4000-8000-000000000001')
const BOOT = filesystem('/boot', 'ext4', 'bbbbbbbb-0000-4000-8000-000000000002')
const ESP = filesystem('/boot/efi', 'vfat', 'ABCD-1234')

/** Every line is started from every build of GRUB. */
const LAYOUTS: readonly { readonly name: string; readonly mounts: readonly MountPoint[] }[] = [
  { name: '/boot on the root filesystem', mounts: [ROOT, ESP] },
  { name: '/boot apart', mounts: [BOOT, ROOT, ESP] },
]

describe.runIf(requireMachine('bios'))('a BIOS', () => {
  for (const build of grubBuilds()) {
    describe.runIf(build.isThere)(build.name, () => {
      const folder = temporaryFolder()
      let files: FileTree
      beforeAll(async () => {
        files = await build.load()
      })

      test.each(LAYOUTS)('$name', async ({ mounts }) => {
        const disk = join(folder, 'disk.raw')
        const { size } = await makeDisk(files, mounts, disk)
        expect(size).toBeLessThan(48 * 1024)
        const machine = bootDisk({ disk, firmware: 'bios', memory: 128, timeoutMs: 90_000 })
        try {
          const [, path, line, initrd] = await machine.waitFor(
            /TINYK path=(\S+) cmdline=\[(.*)\] initrd=(.*) END/,
          )
          const data = sampleInitramfs()
          expect(path).toBe('linux32')
          expect(line).toContain(`root=UUID=${ROOT.uuid} `)
          expect(initrd).toBe(`${hex(data.length)} fnv=${hex(fnv1a(data))}`)
          expect(machine.console).not.toMatch(/error/i)
          expect(await machine.exitStatus).toBe(33)
        } finally {
          await machine.close()
        }
      })
    })
  }
})

const hex = (value: number): string => value.toString(16).padStart(8, '0')

/** A disk whose GRUB is installed from these files for a BIOS alone. Answers with what lies on it. */
async function makeDisk(
  files: FileTree,
  mounts: readonly MountPoint[],
  path: string,
): Promise<{ readonly size: number }> {
  const sysroot = cloneTree(files)
  putInode(sysroot, 'usr/lib/modules/1.0/vmlinuz', createFile(buildTinyKernel()))
  putInode(sysroot, 'usr/lib/modules/1.0/initramfs.img', createFile(sampleInitramfs()))
  const system: InstalledSystem = {
    sysroot,
    root: sysroot,
    layout: 'plain',
    architecture: 'x86_64',
    kernel: {
      version: '1.0',
      vmlinuz: 'usr/lib/modules/1.0/vmlinuz',
      initramfs: 'usr/lib/modules/1.0/initramfs.img',
    },
    kernelArguments: ['console=ttyS0,115200n8'],
    osRelease: { ID: 'sample', PRETTY_NAME: 'Sample' },
    installConfiguration: { kargs: [], kargDeletes: [] },
    warnings: [],
  }
  const clock = { seconds: 0, nanoseconds: 0 }
  const { bootCode, ...choice } = await installBootloader(system, mounts, { clock, timeout: 0 })
  expect(choice).toMatchObject({ kind: 'grub', files: [], bios: 'usr/lib/grub/i386-pc' })

  const bios = { name: 'bios', type: PARTITION_TYPES.biosBoot, start: MiB, size: MiB }
  const others = mounts.map((mount, index) => ({
    ...{ name: mount.path, type: mount === ESP ? PARTITION_TYPES.esp : PARTITION_TYPES.linux },
    ...{ start: (2 + index * 32) * MiB, size: 32 * MiB, filesystem: mount },
  }))
  const partitions = [bios, ...others].map(
    (partition, index): PlannedPartition => ({
      ...{ number: index + 1, label: '', attributes: [], ...partition },
      uuid: `cccccccc-0000-4000-8000-00000000000${index}`,
    }),
  )
  const plan = { uuid: 'dddddddd-0000-4000-8000-000000000000', size: 100 * MiB, sectorSize: 512, partitions }
  const device = memoryDevice(plan.size)
  await writeDisk(plan, { ...system, ...(bootCode && { bootCode }) }, device)
  const found = await readBootCode(device)
  expect(found).toMatchObject({ firstSector: 2048, size: bootCode?.size })
  await saveDevice(device, path)
  return { size: found?.size ?? 0 }
}
