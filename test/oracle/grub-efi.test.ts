import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileTree } from '@bootable/tree'
import { beforeAll, describe, expect, test } from 'vitest'
import { resolveModules } from '../../packages/bootloader/src/grub-bios/modules.ts'
import { checkOneBuild } from '../../packages/bootloader/src/grub-bios/one-build.ts'
import { type GrubPlatform, openGrubPlatform } from '../../packages/bootloader/src/grub-bios/platform.ts'
import { encodeEfiImage } from '../../packages/bootloader/src/grub-efi/image.ts'
import { linkKernel } from '../../packages/bootloader/src/grub-efi/kernel.ts'
import { GRUB_PLACES, grubBuilds, saveModules } from '../../tooling/grub-builds.ts'
import { requireOracleRoot, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { requireTool, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const PREFIX = '/boot/grub2'
const CONFIG = "search.fs_uuid aaaaaaaa-0000-4000-8000-000000000001 root\nset prefix=($root)'/boot/grub2'\n"
const REQUESTS = {
  'what an installation embeds': 'part_gpt ext2 search_fs_uuid',
  'the modules of btrfs': 'part_gpt btrfs search_fs_uuid',
  'the modules of xfs on a logical volume': 'part_gpt lvm xfs search_fs_uuid',
  'a GRUB that needs no other file':
    'part_gpt fat ext2 search_fs_uuid search normal linux configfile echo boot ls test halt reboot',
}

/** Our image, and the modules that it asks for of those that are there. */
async function encode(platform: GrubPlatform, request: string, isNxCompatible: boolean) {
  const dependencies = await platform.dependencies(request.split(' '))
  const names = resolveModules(request.split(' '), dependencies)
  const modules = await Promise.all(names.map(async (name) => (await platform.module(name)).data))
  const kernel = await platform.file('kernel.img')
  await checkOneBuild(platform, names, dependencies, linkKernel(kernel).content)
  return encodeEfiImage(kernel, { modules, config: CONFIG, prefix: PREFIX }, { isNxCompatible })
}

for (const build of grubBuilds('uefi')) {
  describe.runIf(build.isThere)(build.name, () => {
    const folder = temporaryFolder()
    let platform: GrubPlatform

    beforeAll(async () => {
      const tree: FileTree = await build.load()
      platform = openGrubPlatform(tree, GRUB_PLACES.uefi, 64)
      await saveModules(tree, join(folder, 'modules'), 'uefi')
      await writeFile(join(folder, 'early.cfg'), CONFIG)
    })

    const mkimage = (where: string, request: string): string[] => [
      ...['-O', 'x86_64-efi', '-d', `${where}/modules`, '-c', `${where}/early.cfg`, '-p', PREFIX],
      ...['-o', `${where}/grub.efi`, ...request.split(' ')],
    ]

    // GRUB 2.06 of Debian 12.
    test.runIf(requireTool('grub-mkimage')).each(Object.entries(REQUESTS))(
      '%s: as grub-mkimage makes it',
      async (_, request) => {
        await runOk('grub-mkimage', mkimage(folder, request))
        const theirs = await readFile(join(folder, 'grub.efi'))
        expect(Buffer.compare(await encode(platform, request, false), theirs)).toBe(0)
      },
    )

    test.runIf(requireOracleRoot('grub-mkimage'))(
      'as the newest grub-mkimage makes it, with the NX flag',
      async () => {
        const request = REQUESTS['what an installation embeds']
        await runOkInOracleRoot(folder, 'grub-mkimage', mkimage('/work', request))
        const theirs = await readFile(join(folder, 'grub.efi'))
        expect(Buffer.compare(await encode(platform, request, true), theirs)).toBe(0)
      },
    )
  })
}
