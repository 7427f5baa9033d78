import { join } from 'node:path'
import type { FileTree } from '@bootable/tree'
import { beforeAll, describe, expect, test } from 'vitest'
import { grubPayloads } from '../../tooling/grub-payloads.ts'
import { temporaryFolder } from '../../tooling/oracles.ts'
import { requireMachine } from '../../tooling/qemu.ts'
import {
  bootTinyMachine,
  describeInitrd,
  LAYOUTS,
  makeTinyMachine,
  ROOT,
} from '../../tooling/tiny-machine.ts'

/** These guests have no screen. GRUB 2.06 looks for one where it starts a kernel by its 32-bit entry. */
const NO_SCREEN = 'error: no suitable video mode found.'

/** How GRUB starts a kernel that is an EFI program: 2.06 by its 32-bit entry, later ones as the program. */
const entryPath = (build: string): string => (build.includes('2.06') ? 'linux32' : 'efistub')

describe.runIf(requireMachine('uefi') && requireMachine('bios'))('one disk starts both ways', () => {
  for (const payload of grubPayloads()) {
    describe.runIf(payload.isThere)(payload.name, () => {
      const folder = temporaryFolder()
      let files: FileTree
      beforeAll(async () => {
        files = await payload.load()
      })

      describe.each(LAYOUTS)('$layout', ({ mounts }) => {
        const disk = join(folder, `${mounts.length}.raw`)
        beforeAll(async () => {
          const { bootloader } = await makeTinyMachine(files, mounts, disk)
          expect(bootloader).toMatchObject({ kind: 'grub', vendor: 'debian', bios: 'usr/lib/grub/i386-pc' })
        })

        test.each([
          { firmware: 'uefi', path: entryPath(payload.name) },
          { firmware: 'bios', path: 'linux32' },
        ] as const)('$firmware', async ({ firmware, path }) => {
          const report = await bootTinyMachine({ disk, firmware })
          expect(report).toMatchObject({ path, initrd: describeInitrd() })
          expect(report.commandLine).toContain(`root=UUID=${ROOT.uuid} `)
          expect(report.console.replace(NO_SCREEN, '')).not.toMatch(/error/i)
        })
      })
    })
  }
})
