import { join } from 'node:path'
import { type InstallBootloaderOptions, installBootloader, writeUki } from '@bootable/bootloader'
import { type ByteSource, MiB, memoryDevice, memorySource, readAll, utf8 } from '@bootable/bytes'
import { openFileSource } from '@bootable/bytes/node'
import { openDisk, PARTITION_TYPES, type PlannedPartition, writeDisk } from '@bootable/disk'
import { cloneTree, deployPlain, type MountPoint } from '@bootable/system'
import {
  createFile,
  type FileTree,
  findDirectory,
  findFile,
  putInode,
  type RegularFile,
  removePath,
} from '@bootable/tree'
import { beforeAll, describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { type Fixture, findFixture } from '../../tooling/fixture.ts'
import { readFixtureFiles } from '../../tooling/fixture-files.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { bootDisk, requireMachine } from '../../tooling/qemu.ts'
import { sampleInitramfs } from '../../tooling/sample/layers.ts'
import { buildTinyKernel, fnv1a } from '../../tooling/sample/tiny-kernel.ts'
import { stubInitrd } from '../../tooling/stub-initrd.ts'

const filesystem = (path: string, type: MountPoint['type'], uuid: string): MountPoint => ({
  ...{ path, type, uuid, label: '', options: 'defaults', freq: 0, passno: 0 },
})
const ESP = filesystem('/efi', 'vfat', 'ABCD-1234')
const XBOOTLDR = filesystem('/boot', 'vfat', 'ABCD-5678')
const ROOT = filesystem('/', 'ext4', 'aaaaaaaa-0000-4000-8000-000000000001')

const PROGRAMS = 'usr/lib/systemd/boot/efi'
const SYSTEMD_BOOT = `${PROGRAMS}/systemd-bootx64.efi`
const STUB = `${PROGRAMS}/linuxx64.efi.stub`
const OS_RELEASE = 'ID=sample\nPRETTY_NAME="Sample 1"\nVERSION_ID=1\n'

/** What the tiny kernel says about how it was started. */
interface Report {
  readonly path: string
  readonly commandLine: string
  readonly initrd: string
}

/** A disk that is made from a tree, with what is installed for it. */
async function makeDisk(
  image: FileTree,
  disk: string,
  options: Omit<InstallBootloaderOptions, 'clock'> & { readonly mounts?: readonly MountPoint[] } = {},
): Promise<void> {
  const { mounts = [ESP, ROOT], ...others } = options
  const system = await deployPlain(image, { architecture: 'amd64', seed: 'test', clock: 0 })
  await installBootloader(system, mounts, { clock: { seconds: 0, nanoseconds: 0 }, timeout: 0, ...others })
  const size = 64 * MiB
  const partitions = mounts.map((mount, index): PlannedPartition => {
    const types = { '/efi': PARTITION_TYPES.esp, '/boot': PARTITION_TYPES.xbootldr }
    return {
      number: index + 1,
      name: mount.path,
      type: types[mount.path as keyof typeof types] ?? PARTITION_TYPES.linux,
      uuid: `cccccccc-0000-4000-8000-00000000000${index}`,
      label: '',
      start: MiB + index * size,
      size,
      attributes: [],
      content: { type: 'filesystem', mount },
    }
  })
  const plan = { uuid: 'dddddddd-0000-4000-8000-000000000000', size: 256 * MiB, sectorSize: 512, partitions }
  const device = memoryDevice(plan.size)
  await writeDisk(plan, system, device)
  await saveDevice(device, disk)
}

async function boot(disk: string, persist = false): Promise<Report> {
  const machine = bootDisk({ disk, firmware: 'uefi', memory: 256, timeoutMs: 120_000, persist })
  try {
    const [, path = '', commandLine = '', initrd = ''] = await machine.waitFor(
      /TINYK path=(\S+) cmdline=\[(.*)\] initrd=(.*) END/,
    )
    expect(await machine.exitStatus).toBe(33)
    return { path, commandLine, initrd }
  } finally {
    await machine.close()
  }
}

const hex = (value: number): string => value.toString(16).padStart(8, '0')
const describeInitrd = (data: Uint8Array): string => `${hex(data.length)} fnv=${hex(fnv1a(data))}`

/** Names in a folder of the EFI system partition. */
async function namesOn(disk: string, folder: string): Promise<string[]> {
  const source = await openFileSource(disk)
  try {
    const opened = await openDisk(source)
    const esp = opened.partitions.find(({ type }) => type === PARTITION_TYPES.esp)
    const tree = esp && (await opened.readTree(esp))
    return [...((tree && findDirectory(tree, folder))?.entries.keys() ?? [])].sort()
  } finally {
    await source.close?.()
  }
}

const fixture = findFixture('trixie-minimal')

describe.runIf(fixture && requireMachine('uefi'))('the stub and systemd-boot of trixie-minimal', () => {
  const folder = temporaryFolder()
  const disk = join(folder, 'disk.raw')
  const initramfs = sampleInitramfs()
  let image: FileTree

  beforeAll(async () => {
    image = await readFixtureFiles(fixture as Fixture, [PROGRAMS])
    putInode(image, 'usr/lib/os-release', createFile(OS_RELEASE))
    putInode(image, 'usr/lib/modules/1.0/vmlinuz', createFile(buildTinyKernel()))
    putInode(image, 'usr/lib/modules/1.0/initramfs.img', createFile(initramfs))
  })

  const contentOf = (path: string): ByteSource => (findFile(image, path) as RegularFile).content
  const without = (...paths: readonly string[]): FileTree => {
    const tree = cloneTree(image)
    for (const path of paths) removePath(tree, path)
    return tree
  }

  const report = (commandLine: string, initrd: Uint8Array): Report => ({
    path: 'efistub',
    commandLine,
    initrd: describeInitrd(initrd),
  })
  const COMMAND_LINE = `root=UUID=${ROOT.uuid} rw console=tty0 console=ttyS0`

  test('a unified kernel image that is made, started by the firmware', async () => {
    await makeDisk(without(SYSTEMD_BOOT), disk, { bootloader: 'uki' })
    expect(await boot(disk)).toEqual(report(COMMAND_LINE, stubInitrd(initramfs, OS_RELEASE)))
  })

  test('the same in the menu of systemd-boot, which counts tries', async () => {
    await makeDisk(image, disk, { bootloader: 'uki', tries: 3 })
    expect(await namesOn(disk, 'EFI/Linux')).toEqual(['sample-1.0+3.efi'])
    expect(await boot(disk, true)).toEqual(report(COMMAND_LINE, stubInitrd(initramfs, OS_RELEASE)))
    expect(await namesOn(disk, 'EFI/Linux')).toEqual(['sample-1.0+2-1.efi'])
  })

  test('a unified kernel image that is shipped, and nothing else', async () => {
    const uki = await writeUki({
      stub: contentOf(STUB),
      kernel: memorySource(buildTinyKernel()),
      initrd: memorySource(initramfs),
      commandLine: 'sealed root=LABEL=root',
      osRelease: memorySource(utf8(OS_RELEASE)),
    })
    const tree = without(PROGRAMS, 'usr/lib/modules/1.0/vmlinuz', 'usr/lib/modules/1.0/initramfs.img')
    putInode(tree, 'boot/EFI/Linux/vendor.efi', createFile(await readAll(uki)))
    await makeDisk(tree, disk)
    expect(await namesOn(disk, 'EFI/Linux')).toEqual(['vendor.efi'])
    expect(await boot(disk)).toEqual(report('sealed root=LABEL=root', stubInitrd(initramfs, OS_RELEASE)))
  })

  test('a kernel and its entry on a boot partition that is FAT', async () => {
    await makeDisk(image, disk, { mounts: [ESP, XBOOTLDR, ROOT], bootloader: 'systemd-boot' })
    expect(await namesOn(disk, 'loader')).toEqual(['loader.conf'])
    const { commandLine, ...rest } = await boot(disk)
    expect(rest).toEqual({ path: 'efistub', initrd: describeInitrd(initramfs) })
    expect(commandLine).toBe(`initrd=\\sample\\1.0\\initrd ${COMMAND_LINE}`)
  })
})
