import {
  type InstallBootloaderOptions,
  type InstalledBootloader,
  installBootloader,
} from '@bootable/bootloader'
import { type BlockDevice, MiB, memoryDevice } from '@bootable/bytes'
import { PARTITION_TYPES, type PlannedPartition, writeDisk } from '@bootable/disk'
import { cloneTree, type InstalledSystem, type MountPoint, readOsRelease } from '@bootable/system'
import { createFile, type FileTree, putInode } from '@bootable/tree'
import { saveDevice } from './compliance/filesystem.ts'
import { type BootDiskOptions, bootDisk } from './qemu.ts'
import { sampleInitramfs } from './sample/layers.ts'
import { buildTinyKernel, fnv1a } from './sample/tiny-kernel.ts'

const filesystem = (path: string, type: MountPoint['type'], uuid: string): MountPoint => ({
  ...{ path, type, uuid, label: '', options: 'defaults', freq: 0, passno: 0 },
})

/** The filesystems of tiny machines. */
export const ROOT = filesystem('/', 'ext4', 'aaaaaaaa-0000-4000-8000-000000000001')
const BOOT = filesystem('/boot', 'ext4', 'bbbbbbbb-0000-4000-8000-000000000002')
const ESP = filesystem('/boot/efi', 'vfat', 'ABCD-1234')

/** What every boot loader is started from. */
export const LAYOUTS: readonly { readonly layout: string; readonly mounts: readonly MountPoint[] }[] = [
  { layout: '/boot on the root filesystem', mounts: [ROOT, ESP] },
  { layout: '/boot apart', mounts: [BOOT, ROOT, ESP] },
]

/** A disk of {@link makeTinyMachine}. */
export interface TinyMachine {
  readonly bootloader: InstalledBootloader
  readonly device: BlockDevice
}

/** Options of {@link makeTinyMachine}. */
export interface TinyMachineOptions extends Omit<InstallBootloaderOptions, 'clock'> {
  /** Another kernel than the tiny one. */
  readonly kernel?: Uint8Array
}

/**
 * Installs a boot loader from these files for the tiny kernel and its initramfs, and writes the disk to a
 * file: 100 MiB with a BIOS boot partition and 32 MiB for each filesystem.
 */
export async function makeTinyMachine(
  files: FileTree,
  mounts: readonly MountPoint[],
  path: string,
  { kernel = buildTinyKernel(), ...options }: TinyMachineOptions = {},
): Promise<TinyMachine> {
  const sysroot = cloneTree(files)
  putInode(sysroot, 'usr/lib/modules/1.0/vmlinuz', createFile(kernel))
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
    osRelease: { ID: 'sample', PRETTY_NAME: 'Sample', ...(await readOsRelease(sysroot)) },
    installConfiguration: { kargs: [], kargDeletes: [] },
    warnings: [],
  }
  const clock = { seconds: 0, nanoseconds: 0 }
  const bootloader = await installBootloader(system, mounts, { timeout: 0, ...options, clock })

  const bios = { name: 'bios', type: PARTITION_TYPES.biosBoot, start: MiB, size: MiB }
  const others = mounts.map((mount, index) => ({
    ...{ name: mount.path, type: mount === ESP ? PARTITION_TYPES.esp : PARTITION_TYPES.linux },
    ...{ start: (2 + index * 32) * MiB, size: 32 * MiB },
    content: { type: 'filesystem', mount } as const,
  }))
  const partitions = [bios, ...others].map(
    (partition, index): PlannedPartition => ({
      ...{ number: index + 1, label: '', attributes: [], ...partition },
      uuid: `cccccccc-0000-4000-8000-00000000000${index}`,
    }),
  )
  const plan = { uuid: 'dddddddd-0000-4000-8000-000000000000', size: 100 * MiB, sectorSize: 512, partitions }
  const device = memoryDevice(plan.size)
  const { bootCode } = bootloader
  await writeDisk(plan, { ...system, ...(bootCode && { bootCode }) }, device)
  await saveDevice(device, path)
  return { bootloader, device }
}

/** What the tiny kernel says about itself. */
export interface TinyReport {
  /** The entry by which it was started. */
  readonly path: string
  readonly commandLine: string
  /** Length and checksum of its initramfs. */
  readonly initrd: string
  readonly console: string
}

/** Starts a disk with the tiny kernel on it, which reports and then leaves QEMU. */
export async function bootTinyMachine(options: BootDiskOptions): Promise<TinyReport> {
  const machine = bootDisk({
    memory: options.firmware === 'bios' ? 128 : 256,
    timeoutMs: 120_000,
    ...options,
  })
  try {
    const [, path = '', commandLine = '', initrd = ''] = await machine.waitFor(
      /TINYK path=(\S+) cmdline=\[(.*)\] initrd=(.*) END/,
    )
    const status = await machine.exitStatus
    if (status !== 33) throw new Error(`QEMU ended with status ${status}`)
    return { path, commandLine, initrd, console: machine.console }
  } finally {
    await machine.close()
  }
}

/** What the kernel says of an initramfs that came through. */
export function describeInitrd(data: Uint8Array = sampleInitramfs()): string {
  const hex = (value: number): string => value.toString(16).padStart(8, '0')
  return `${hex(data.length)} fnv=${hex(fnv1a(data))}`
}
