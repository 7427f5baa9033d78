import { join } from 'node:path'
import { readBootCode } from '@bootable/bootloader'
import type { FileTree } from '@bootable/tree'
import { beforeAll, describe, expect, test } from 'vitest'
import { grubBuilds } from '../../tooling/grub-builds.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { requireMachine } from '../../tooling/qemu.ts'
import {
  bootTinyMachine,
  describeInitrd,
  LAYOUTS,
  makeTinyMachine,
  ROOT,
} from '../../tooling/tiny-machine.ts'

describe.runIf(requireMachine('bios'))('a BIOS', () => {
  for (const build of grubBuilds()) {
    describe.runIf(build.isThere)(build.name, () => {
      const disk = join(temporaryFolder(), 'disk.raw')
      let files: FileTree
      beforeAll(async () => {
        files = await build.load()
      })

      test.each(LAYOUTS)('$layout', async ({ mounts }) => {
        const { bootloader, device } = await makeTinyMachine(files, mounts, disk)
        expect(bootloader).toMatchObject({ kind: 'grub', files: [], bios: 'usr/lib/grub/i386-pc' })
        const found = await readBootCode(device)
        expect(found).toMatchObject({ firstSector: 2048, size: bootloader.bootCode?.size })
        expect(found?.size).toBeLessThan(48 * 1024)

        const report = await bootTinyMachine({ disk, firmware: 'bios' })
        expect(report).toMatchObject({ path: 'linux32', initrd: describeInitrd() })
        expect(report.commandLine).toContain(`root=UUID=${ROOT.uuid} `)
        expect(report.console).not.toMatch(/error/i)
      })
    })
  }
})
