import { join } from 'node:path'
import { readAll } from '@bootable/bytes'
import { buildDisk, type MachineOptions, memoryOutput, openImage } from '@bootable/core'
import { openImageSource } from '@bootable/core/node'
import { unpackImage } from '@bootable/oci'
import { temporaryLayerCache } from '@bootable/oci/node'
import { createFile, type FileTree, findDirectory, putInode, removePath, walkTree } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { type Fixture, findFixture } from '../../tooling/fixture.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { bootDisk, requireMachine } from '../../tooling/qemu.ts'
import { baseLayer, sampleInitramfs } from '../../tooling/sample/layers.ts'
import { createSampleImage, SAMPLE_REFERENCE } from '../../tooling/sample/sample-image.ts'
import { fnv1a } from '../../tooling/sample/tiny-kernel.ts'

const EFI_PROGRAMS = 'usr/lib/bootupd/updates/EFI'
const fixture = findFixture('trixie-minimal')

const hex = (value: number): string => value.toString(16).padStart(8, '0')

/** The sample's base with shim and GRUB of the fixture in place of its own boot loader. */
async function baseWithGrub({ archive }: Fixture): Promise<FileTree> {
  const base = baseLayer()
  removePath(base, 'usr/lib/systemd')
  const opened = await openImageSource(`oci-archive:${archive}`)
  const cache = temporaryLayerCache()
  try {
    const root = findDirectory(await unpackImage(opened.image, { cache }), EFI_PROGRAMS)
    if (!root) throw new Error(`the fixture has no /${EFI_PROGRAMS}`)
    for (const { path, inode } of walkTree({ root })) {
      if (inode.type !== 'file') continue
      const file = createFile(await readAll(inode.content), { mtime: base.root.mtime })
      putInode(base, `${EFI_PROGRAMS}/${path}`, file)
    }
    return base
  } finally {
    await opened.close()
    await cache.close()
  }
}

describe.runIf(requireMachine('uefi'))('sectors of 4096 bytes', () => {
  const folder = temporaryFolder()

  async function startsFrom(base: FileTree, options: MachineOptions = {}): Promise<string> {
    const image = await openImage(await createSampleImage({ base }), SAMPLE_REFERENCE)
    const output = memoryOutput('raw')
    const machine = await buildDisk({
      ...options,
      image,
      size: 'minimum',
      sectorSize: 4096,
      outputs: [output],
    })
    expect(machine.plan.partitions.map(({ name }) => name)).toEqual(['esp', 'boot', 'root'])
    const disk = join(folder, 'disk.raw')
    await saveDevice(output.device(), disk)
    const guest = bootDisk({ disk, firmware: 'uefi', memory: 256, sectorSize: 4096, timeoutMs: 180_000 })
    try {
      const [, line = '', initrd] = await guest.waitFor(/TINYK path=\S+ cmdline=\[(.*)\] initrd=(.*) END/)
      const data = sampleInitramfs()
      expect(initrd).toBe(`${hex(data.length)} fnv=${hex(fnv1a(data))}`)
      expect(line).toContain(machine.commandLine[0])
      expect(guest.console).not.toMatch(/error/i)
      expect(await guest.exitStatus).toBe(33)
    } finally {
      await guest.close()
    }
    return machine.bootloader.kind
  }

  test('a loader on the ESP', async () => {
    expect(await startsFrom(baseLayer())).toBe('systemd-boot')
  })

  test.runIf(fixture)('shim and GRUB, the kernel on ext4', async () => {
    expect(await startsFrom(await baseWithGrub(fixture as Fixture))).toBe('grub')
  })
})
