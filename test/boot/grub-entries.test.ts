import { join } from 'node:path'
import { installBootloader } from '@bootable/bootloader'
import { MiB, memoryDevice } from '@bootable/bytes'
import { openImageSource } from '@bootable/core/node'
import { PARTITION_TYPES, type PlannedPartition, writeDisk } from '@bootable/disk'
import { unpackImage } from '@bootable/oci'
import { temporaryLayerCache } from '@bootable/oci/node'
import { type InstalledSystem, type MountPoint, readOsRelease } from '@bootable/system'
import { createFile, createSymlink, createTree, type FileTree, putInode } from '@bootable/tree'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { type Fixture, findFixture } from '../../tooling/fixture.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { bootDisk, requireMachine } from '../../tooling/qemu.ts'
import { buildTinyKernel, fnv1a } from '../../tooling/sample/tiny-kernel.ts'

const filesystem = (path: string, type: MountPoint['type'], uuid: string): MountPoint => ({
  ...{ path, type, uuid, label: '', options: 'defaults', freq: 0, passno: 0 },
})
const ESP = filesystem('/boot/efi', 'vfat', 'ABCD-1234')
const BOOT = filesystem('/boot', 'ext4', 'bbbbbbbb-0000-4000-8000-000000000002')
const ROOT = filesystem('/', 'ext4', 'aaaaaaaa-0000-4000-8000-000000000001')

/** A deployment as far as a boot loader sees it. */
interface Deployment {
  /** The number in the name of its entry. */
  readonly number: number
  /** One hex digit, of which its boot checksum is made. */
  readonly digit: string
  /** Another name of the entry's file. */
  readonly file?: string
  readonly options?: string
}

const checksum = (digit: string): string => digit.repeat(64)
const ostreeArgument = ({ digit }: Deployment): string => `ostree=/ostree/boot.1/default/${checksum(digit)}/0`
const initramfs = ({ digit }: Deployment): Uint8Array =>
  new Uint8Array(70_000).fill(Number.parseInt(digit, 16))
const files = ({ digit }: Deployment): string => `/boot/ostree/default-${checksum(digit)}`

/** What the tiny kernel says about the deployment that it was started from. */
interface Report {
  readonly arguments: readonly string[]
  readonly initrd: string
}

const hex = (value: number): string => value.toString(16).padStart(8, '0')
const expected = (deployment: Deployment): string => {
  const data = initramfs(deployment)
  return `${hex(data.length)} fnv=${hex(fnv1a(data))}`
}

async function boot(disk: string): Promise<Report & { readonly console: string }> {
  const machine = bootDisk({ disk, firmware: 'uefi', memory: 256, timeoutMs: 120_000 })
  try {
    const [, line = '', initrd = ''] = await machine.waitFor(
      /TINYK path=\S+ cmdline=\[(.*)\] initrd=(.*) END/,
    )
    return { arguments: line.split(' ').slice(1), initrd, console: machine.console }
  } finally {
    await machine.close()
  }
}

/**
 * A disk with the boot loader of an image, installed for the first deployment; ostree is then played: it
 * puts others in place, and where there are none even takes the first away.
 */
async function makeDisk(
  image: FileTree,
  path: string,
  options: {
    readonly installed: Deployment
    readonly current?: readonly Deployment[]
    readonly hasBoot: boolean
    readonly timeout?: number
  },
): Promise<void> {
  const { installed, current, hasBoot, timeout = 0 } = options
  const sysroot = createTree()
  const put = (name: string, content: string | Uint8Array): void =>
    void putInode(sysroot, name, createFile(content))
  const deploy = (deployment: Deployment): void => {
    put(`${files(deployment)}/vmlinuz-6.0`, buildTinyKernel())
    put(`${files(deployment)}/initramfs-6.0.img`, initramfs(deployment))
  }
  deploy(installed)
  putInode(sysroot, 'boot/boot', createSymlink('.'))
  putInode(sysroot, 'boot/loader', createSymlink('loader.1'))
  const system: InstalledSystem = {
    sysroot,
    root: image,
    layout: 'ostree',
    architecture: 'x86_64',
    kernel: { version: '6.0', vmlinuz: 'unused' },
    kernelArguments: ['console=tty0', 'console=ttyS0,115200n8', 'dyndbg="file a.c +p"'],
    osRelease: await readOsRelease(image),
    installConfiguration: { kargs: [], kargDeletes: [] },
    bootEntry: {
      path: `boot/loader.1/entries/ostree-${installed.number}.conf`,
      title: 'Debian GNU/Linux 13 (trixie) (ostree:0)',
      version: String(installed.number),
      linux: `${files(installed)}/vmlinuz-6.0`,
      initrd: [`${files(installed)}/initramfs-6.0.img`],
      arguments: [ostreeArgument(installed)],
    },
    warnings: [],
  }
  const mounts = hasBoot ? [ROOT, BOOT, ESP] : [ROOT, ESP]
  await installBootloader(system, mounts, { clock: { seconds: 0, nanoseconds: 0 }, timeout })

  if (current) {
    putInode(sysroot, 'boot/loader', createSymlink('loader.0'))
    for (const deployment of current) {
      deploy(deployment)
      const { number, file = `ostree-${number}`, options = 'quiet' } = deployment
      put(
        `boot/loader.0/entries/${file}.conf`,
        `title Debian GNU/Linux 13 (trixie) (ostree:?)
version ${number}
options root=UUID=x ${options} ${ostreeArgument(deployment)}
linux ${files(deployment)}/vmlinuz-6.0
initrd ${files(deployment)}/initramfs-6.0.img
aboot /usr/lib/x
`,
      )
    }
  }
  await saveDisk(sysroot, mounts, path)
}

async function saveDisk(sysroot: FileTree, mounts: readonly MountPoint[], path: string): Promise<void> {
  const size = 64 * MiB
  const partitions = mounts.map(
    (mount, index): PlannedPartition => ({
      number: index + 1,
      name: mount.path,
      type: mount === ESP ? PARTITION_TYPES.esp : PARTITION_TYPES.linux,
      uuid: `cccccccc-0000-4000-8000-00000000000${index}`,
      label: '',
      start: MiB + index * size,
      size,
      attributes: [],
      content: { type: 'filesystem' as const, mount },
    }),
  )
  const plan = { uuid: 'dddddddd-0000-4000-8000-000000000000', size: 256 * MiB, sectorSize: 512, partitions }
  const device = memoryDevice(plan.size)
  await writeDisk(plan, { sysroot }, device)
  await saveDevice(device, path)
}

const one: Deployment = { number: 1, digit: 'a' }

// GRUB 2.12 and 2.14, signed, as the images ship them.
for (const name of ['trixie-minimal', 'forky-minimal']) {
  const fixture = findFixture(name)
  describe.runIf(fixture && requireMachine('uefi'))(`GRUB of ${name}`, () => {
    const folder = temporaryFolder()
    const disk = join(folder, 'disk.raw')
    const cache = temporaryLayerCache()
    let image: FileTree

    beforeAll(async () => {
      const opened = await openImageSource(`oci-archive:${(fixture as Fixture).archive}`)
      try {
        image = await unpackImage(opened.image, { cache })
      } finally {
        await opened.close()
      }
    })
    afterAll(() => cache.close())

    test('starts the entry that was installed, from a boot filesystem', async () => {
      await makeDisk(image, disk, { installed: one, hasBoot: true, timeout: 1 })
      const report = await boot(disk)
      expect(report.arguments.join(' ')).toBe(
        `root=UUID=${ROOT.uuid} rw boot=UUID=${BOOT.uuid} console=tty0 console=ttyS0,115200n8 ` +
          `"dyndbg=file a.c +p" ${ostreeArgument(one)}`,
      )
      expect(report.initrd).toBe(expected(one))
      expect(report.console).toContain('Debian GNU/Linux (ostree-1)')
      expect(report.console).not.toMatch(/error/i)
    })

    test('starts the newest of the entries that were written later, from the root filesystem', async () => {
      const current = [{ number: 9, digit: 'b' }, { number: 10, digit: 'c' }, one]
      await makeDisk(image, disk, { installed: one, current, hasBoot: false })
      const report = await boot(disk)
      expect(report.arguments).toEqual(['root=UUID=x', 'quiet', ostreeArgument({ number: 10, digit: 'c' })])
      expect(report.initrd).toBe(expected({ number: 10, digit: 'c' }))
      expect(report.console).not.toMatch(/error/i)
    })

    // Both have the same grub.cfg: what it does in a pinch is shown with one.
    if (name !== 'trixie-minimal') return

    test('falls back from an entry that it misreads', async () => {
      // Names as before ostree 2024.5, and with the tries that are left.
      const newest = { number: 3, digit: 'd', file: 'ostree-3-default', options: 'quiet;x=1' }
      const older = { number: 2, digit: 'e', file: 'ostree-2+3' }
      await makeDisk(image, disk, { installed: one, current: [one, older, newest], hasBoot: true })
      const report = await boot(disk)
      expect(report.initrd).toBe(expected(older))
      expect(report.console).toMatch(/Falling back to .*ostree-2\+3/)
    })

    test('without entries starts what was installed', async () => {
      await makeDisk(image, disk, { installed: one, current: [], hasBoot: false })
      const report = await boot(disk)
      expect(report.arguments).toContain(ostreeArgument(one))
      expect(report.initrd).toBe(expected(one))
      expect(report.console).not.toMatch(/error/i)
    })
  })
}
