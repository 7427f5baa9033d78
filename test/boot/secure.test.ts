import { join } from 'node:path'
import { readAll } from '@bootable/bytes'
import { openImageSource } from '@bootable/core/node'
import { unpackImage } from '@bootable/oci'
import { temporaryLayerCache } from '@bootable/oci/node'
import { findKernels } from '@bootable/system'
import { findFile } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { type Fixture, findFixture } from '../../tooling/fixture.ts'
import { grubBuilds } from '../../tooling/grub-builds.ts'
import { grubPayloads } from '../../tooling/grub-payloads.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { bootDisk, requireMachine, requireSecureBoot } from '../../tooling/qemu.ts'
import { bootTinyMachine, describeInitrd, LAYOUTS, makeTinyMachine } from '../../tooling/tiny-machine.ts'

const [ofThisMachine, signed] = grubPayloads()
const [{ mounts: onRoot }, { mounts: apart }] = LAYOUTS as [(typeof LAYOUTS)[0], (typeof LAYOUTS)[0]]
const fixture = findFixture('trixie-minimal')

/** Debian's signed kernel, as the fixture image has it. */
async function signedKernel(): Promise<Uint8Array> {
  const opened = await openImageSource(`oci-archive:${(fixture as Fixture).archive}`)
  const cache = temporaryLayerCache()
  try {
    const tree = await unpackImage(opened.image, { cache })
    const kernel = findFile(tree, findKernels(tree)[0]?.vmlinuz ?? '')
    return await readAll((kernel as NonNullable<typeof kernel>).content)
  } finally {
    await cache.close()
    await opened.close()
  }
}

describe.runIf(fixture && signed?.isThere && requireSecureBoot())('Secure Boot', () => {
  const disk = join(temporaryFolder(), 'disk.raw')

  test('starts a disk that is signed up to the kernel', async () => {
    const files = await (signed as NonNullable<typeof signed>).load()
    const kernel = await signedKernel()
    const { bootloader } = await makeTinyMachine(files, apart, disk, { kernel, secureBoot: 'required' })
    expect(bootloader).toMatchObject({ secureBoot: { chain: 'signed', hasShim: true }, warnings: [] })
    const machine = bootDisk({ disk, firmware: 'uefi', secureBoot: true, timeoutMs: 280_000 })
    try {
      await machine.waitFor(/secureboot: Secure boot enabled/)
    } finally {
      await machine.close()
    }
  })

  test('refuses a kernel that is not signed, as the warning said', async () => {
    const files = await (signed as NonNullable<typeof signed>).load()
    const { bootloader } = await makeTinyMachine(files, apart, disk, { secureBoot: 'required' })
    expect(bootloader).toMatchObject({ secureBoot: { chain: 'unsigned-kernel' } })
    expect(bootloader.warnings).toEqual([
      expect.objectContaining({
        message: expect.stringContaining('/usr/lib/modules/1.0/vmlinuz is not signed'),
      }),
    ])
    const machine = bootDisk({ disk, firmware: 'uefi', secureBoot: true, timeoutMs: 150_000 })
    try {
      await machine.waitFor(/bad shim signature/)
    } finally {
      await machine.close()
    }
  })
})

describe.runIf(requireMachine('uefi'))('UEFI', () => {
  const disk = join(temporaryFolder(), 'disk.raw')

  test.runIf(ofThisMachine?.isThere)("starts by shim's fallback program and its CSV file", async () => {
    const files = await (ofThisMachine as NonNullable<typeof ofThisMachine>).load()
    const { bootloader } = await makeTinyMachine(files, onRoot, disk, { fallback: true })
    const targets = bootloader.files.map(({ target }) => target)
    expect(targets).toContain('EFI/BOOT/fbx64.efi')
    expect(targets).not.toContain('EFI/BOOT/grubx64.efi')
    const report = await bootTinyMachine({ disk, firmware: 'uefi' })
    expect(report.initrd).toBe(describeInitrd())
  })

  for (const build of grubBuilds('uefi')) {
    test.runIf(build.isThere)(`starts by a program made of the modules of ${build.name}`, async () => {
      const { bootloader } = await makeTinyMachine(await build.load(), onRoot, disk)
      expect(bootloader).toMatchObject({ files: [], efi: 'usr/lib/grub/x86_64-efi' })
      expect(bootloader).toMatchObject({ secureBoot: { chain: 'unsigned' }, firmware: [{ name: 'uefi' }] })
      const report = await bootTinyMachine({ disk, firmware: 'uefi' })
      expect(report.initrd).toBe(describeInitrd())
    })
  }
})
