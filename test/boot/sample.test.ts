import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MiB, memoryDevice } from '@bootable/bytes'
import { buildDisk, memoryOutput, openImage } from '@bootable/core'
import { writeFat } from '@bootable/filesystems/fat'
import { createFile, createTree, putInode } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { run, temporaryFolder } from '../../tooling/oracles.ts'
import { type BootDiskOptions, bootDisk, requireMachine } from '../../tooling/qemu.ts'
import { SAMPLE_KERNEL_VERSION, sampleInitramfs } from '../../tooling/sample/layers.ts'
import { createSampleImage, SAMPLE_REFERENCE } from '../../tooling/sample/sample-image.ts'
import { buildTinyKernel, fnv1a } from '../../tooling/sample/tiny-kernel.ts'

/** What the kernel says about itself; it has left the machine by then. */
interface Report {
  readonly path: string
  readonly commandLine: string
  readonly initrd: string
}

const LINE = /TINYK path=(\S+) cmdline=\[(.*)\] initrd=([0-9a-f]{8} fnv=[0-9a-f]{8}) END/

async function boot(options: BootDiskOptions): Promise<Report> {
  const machine = bootDisk({ memory: 256, timeoutMs: 90_000, ...options })
  try {
    const report = parseReport(await machine.waitFor(LINE))
    expect(await machine.exitStatus).toBe(33)
    return report
  } finally {
    await machine.close()
  }
}

function parseReport(match: RegExpExecArray | null): Report {
  const [, path = '', commandLine = '', initrd = ''] = match ?? []
  return { path, commandLine, initrd }
}

function describeInitrd(data: Uint8Array): string {
  return `${hex(data.length)} fnv=${hex(fnv1a(data))}`
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}

const NO_INITRD = describeInitrd(new Uint8Array())

describe.runIf(requireMachine('bios') && requireMachine('uefi'))('the tiny kernel', () => {
  const folder = temporaryFolder()

  test('starts by its 16-bit entry', async () => {
    const [kernel, initrd] = [join(folder, 'kernel'), join(folder, 'initrd')]
    const data = sampleInitramfs()
    await writeFile(kernel, buildTinyKernel())
    await writeFile(initrd, data)
    const machine = ['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot', '-m', '64']
    const exit = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4']
    const args = ['-kernel', kernel, '-initrd', initrd, '-append', 'a=1 b="c d"']
    const { stdout, status } = await run('qemu-system-x86_64', [...machine, ...exit, ...args])
    expect(parseReport(LINE.exec(stdout))).toEqual({
      path: 'linux32',
      commandLine: 'a=1 b="c d"',
      initrd: describeInitrd(data),
    })
    expect(status).toBe(33)
  })

  test('starts as an EFI application, with neither command line nor initrd', async () => {
    const tree = createTree()
    putInode(tree, 'EFI/BOOT/BOOTX64.EFI', createFile(buildTinyKernel()))
    const device = memoryDevice(4 * MiB)
    await writeFat(tree, device, { volumeId: 1 })
    const disk = join(folder, 'efi.raw')
    await saveDevice(device, disk)
    expect(await boot({ disk, firmware: 'uefi' })).toEqual({
      path: 'efistub',
      commandLine: '',
      initrd: NO_INITRD,
    })
  })
})

describe.runIf(requireMachine('uefi'))('the sample image', () => {
  const folder = temporaryFolder()

  test('becomes a disk that starts its kernel with its command line and its initramfs', async () => {
    const image = await openImage(await createSampleImage(), SAMPLE_REFERENCE)
    const output = memoryOutput('raw')
    const machine = await buildDisk({ image, size: 'minimum', outputs: [output] })
    const disk = join(folder, 'disk.raw')
    await saveDevice(output.device(), disk)

    const root = machine.mounts.find(({ path }) => path === '/')
    const report = await boot({ disk, firmware: 'uefi' })
    expect(report.commandLine).toContain(`root=UUID=${root?.uuid} `)
    expect(report).toEqual({
      path: 'efistub',
      commandLine: machine.commandLine.join(' '),
      initrd: describeInitrd(sampleInitramfs()),
    })
    expect(machine.system.kernel.version).toBe(SAMPLE_KERNEL_VERSION)
  })
})
