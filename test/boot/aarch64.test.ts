import { join } from 'node:path'
import { MiB, memoryDevice } from '@bootable/bytes'
import { buildDisk, type Machine, memoryOutput, openImage } from '@bootable/core'
import { writeFat } from '@bootable/filesystems/fat'
import { createFile, createTree, type FileTree, putInode, removePath } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { findArm64BootFiles } from '../../tooling/arm64-boot-files.ts'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { bootDisk, requireMachine } from '../../tooling/qemu.ts'
import { buildArm64Kernel } from '../../tooling/sample/arm64-kernel.ts'
import { baseLayer, SAMPLE_KERNEL_VERSION, sampleInitramfs } from '../../tooling/sample/layers.ts'
import { createSampleImage, SAMPLE_REFERENCE } from '../../tooling/sample/sample-image.ts'
import { fnv1a } from '../../tooling/sample/tiny-kernel.ts'

const hex = (value: number): string => value.toString(16).padStart(8, '0')
const initrd = (data: Uint8Array): string => `${hex(data.length)} fnv=${hex(fnv1a(data))}`

/** Starts a disk; what its kernel says of its command line and its initrd. The kernel switches the machine off. */
async function boot(disk: string): Promise<readonly [commandLine: string, initrd: string]> {
  const machine = bootDisk({ disk, firmware: 'uefi', architecture: 'aarch64', timeoutMs: 300_000 })
  try {
    const line = /TINYK path=efistub cmdline=\[(.*)\] initrd=(.*) END/
    const [, commandLine = '', report = ''] = await machine.waitFor(line)
    expect(await machine.exitStatus).toBe(0)
    expect(machine.console).not.toMatch(/error/i)
    return [commandLine, report]
  } finally {
    await machine.close()
  }
}

/** The disk of the sample image with another kernel and another boot loader. */
async function makeDisk(files: Readonly<Record<string, Uint8Array>>, path: string): Promise<Machine> {
  const base: FileTree = baseLayer()
  removePath(base, 'usr/lib/systemd')
  const put = (name: string, content: Uint8Array): void => {
    putInode(base, name, createFile(content, { mtime: base.root.mtime }))
  }
  put(`usr/lib/modules/${SAMPLE_KERNEL_VERSION}/vmlinuz`, buildArm64Kernel())
  for (const [name, content] of Object.entries(files)) put(name, content)
  const image = await openImage(await createSampleImage({ architecture: 'arm64', base }), SAMPLE_REFERENCE)
  const output = memoryOutput('raw')
  const machine = await buildDisk({ image, size: 'minimum', outputs: [output] })
  await saveDevice(output.device(), path)
  return machine
}

describe.runIf(requireMachine('uefi', 'aarch64'))('aarch64', () => {
  const folder = temporaryFolder()
  const readBootFiles = findArm64BootFiles()

  test('the tiny kernel starts as an EFI application', async () => {
    const tree = createTree()
    putInode(tree, 'EFI/BOOT/BOOTAA64.EFI', createFile(buildArm64Kernel()))
    const device = memoryDevice(4 * MiB)
    await writeFat(tree, device, { volumeId: 1 })
    const disk = join(folder, 'efi.raw')
    await saveDevice(device, disk)
    expect(await boot(disk)).toEqual(['', initrd(new Uint8Array())])
  })

  test.runIf(readBootFiles)('shim and GRUB of Debian start a kernel from ext4', async () => {
    const files = await readBootFiles?.()
    if (!files) return
    const disk = join(folder, 'grub.raw')
    const efi = 'usr/lib/bootupd/updates/EFI'
    const machine = await makeDisk(
      {
        [`${efi}/BOOT/BOOTAA64.EFI`]: files['shimaa64.efi'],
        [`${efi}/debian/shimaa64.efi`]: files['shimaa64.efi'],
        [`${efi}/debian/grubaa64.efi`]: files['grubaa64.efi'],
      },
      disk,
    )
    expect(machine.bootloader.kind).toBe('grub')
    expect(machine.plan.partitions.map(({ name }) => name)).toEqual(['esp', 'boot', 'root'])
    const [commandLine, report] = await boot(disk)
    // GRUB puts the kernel's path in front, and quotes words whole.
    const words = machine.commandLine
      .join(' ')
      .replace('sample.words="two words"', '"sample.words=two words"')
    expect(commandLine).toBe(`BOOT_IMAGE=/vmlinuz-${SAMPLE_KERNEL_VERSION} ${words}`)
    expect(report).toBe(initrd(sampleInitramfs()))
  })

  test.runIf(readBootFiles)('systemd-boot of Debian starts a kernel from the ESP', async () => {
    const files = await readBootFiles?.()
    if (!files) return
    const disk = join(folder, 'systemd-boot.raw')
    const program = 'usr/lib/systemd/boot/efi/systemd-bootaa64.efi'
    const machine = await makeDisk({ [program]: files['systemd-bootaa64.efi'] }, disk)
    expect(machine.bootloader.kind).toBe('systemd-boot')
    const [commandLine, report] = await boot(disk)
    expect(commandLine).toContain(machine.commandLine.join(' '))
    expect(report).toBe(initrd(sampleInitramfs()))
  })
})
