import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readBootCode } from '@bootable/bootloader'
import { MiB, memoryDevice, memorySource } from '@bootable/bytes'
import { PARTITION_TYPES, writeDisk } from '@bootable/disk'
import { type BootCode, cloneTree } from '@bootable/system'
import { createTree, type FileTree, removePath } from '@bootable/tree'
import { beforeAll, describe, expect, test } from 'vitest'
import { createBootCode } from '../../packages/bootloader/src/grub-bios/boot-code.ts'
import { encodeCoreImage, encodePayload } from '../../packages/bootloader/src/grub-bios/core-image.ts'
import { encodeModuleArea } from '../../packages/bootloader/src/grub-bios/module-area.ts'
import { resolveModules } from '../../packages/bootloader/src/grub-bios/modules.ts'
import { checkOneBuild } from '../../packages/bootloader/src/grub-bios/one-build.ts'
import { type GrubPlatform, openGrubPlatform } from '../../packages/bootloader/src/grub-bios/platform.ts'
import { decodeLzma } from '../../packages/bootloader/src/lzma/decoder.ts'
import { saveDevice } from '../../tooling/compliance/filesystem.ts'
import { GRUB_MODULES, grubBuilds, saveModules } from '../../tooling/grub-builds.ts'
import { requireOracleRoot, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { canLoopMount, requireTool, runOk, temporaryFolder, withLoopMount } from '../../tooling/oracles.ts'

/** Offset of the LZMA stream in a core image: a sector, and the decompressor. */
const STREAM = 512 + 2848

/** Any version's puts the same into its place. */
const setup = `/${GRUB_MODULES}/grub-bios-setup`

const REQUESTS = {
  'what an installation embeds': 'biosdisk part_gpt ext2 search_fs_uuid',
  'the modules of btrfs': 'biosdisk part_gpt btrfs search_fs_uuid',
  'the modules of xfs on a logical volume': 'biosdisk part_gpt lvm xfs search_fs_uuid',
  'the modules of a dos table': 'biosdisk part_msdos ext2 search_fs_uuid',
  'a GRUB that needs no other file':
    'biosdisk part_gpt ext2 search configfile serial terminal echo normal linux test halt reboot minicmd ' +
    'loadenv gzio all_video regexp sleep',
}
const PREFIX = '/boot/grub2'
const CONFIG = "search.fs_uuid aaaaaaaa-0000-4000-8000-000000000001 root\nset prefix=($root)'/boot/grub2'\n"

async function partsOf(platform: GrubPlatform, request: string) {
  const dependencies = await platform.dependencies(request.split(' '))
  const names = resolveModules(request.split(' '), dependencies)
  const modules = await Promise.all(names.map(async (name) => (await platform.module(name)).data))
  const files = {
    diskboot: await platform.file('diskboot.img'),
    decompressor: await platform.file('lzma_decompress.img'),
    kernel: await platform.file('kernel.img'),
  }
  return { names, dependencies, files, parts: { modules, config: CONFIG, prefix: PREFIX } }
}

for (const build of grubBuilds()) {
  describe.runIf(build.isThere && requireTool('grub-mkimage'))(build.name, () => {
    const folder = temporaryFolder()
    let tree: FileTree
    let platform: GrubPlatform

    beforeAll(async () => {
      tree = await build.load()
      platform = openGrubPlatform(tree)
      await saveModules(tree, join(folder, 'modules'))
      await writeFile(join(folder, 'early.cfg'), CONFIG)
    })

    const mkimage = (where: string, request: string): string[] => [
      ...['-O', 'i386-pc', '-d', `${where}/modules`, '-c', `${where}/early.cfg`, '-p', PREFIX],
      ...['-o', `${where}/core.img`, ...request.split(' ')],
    ]

    test.each(Object.entries(REQUESTS))('%s: as grub-mkimage makes it', async (_, request) => {
      await runOk('grub-mkimage', mkimage(folder, request))
      const theirs = new Uint8Array(await readFile(join(folder, 'core.img')))
      const { files, parts, names, dependencies } = await partsOf(platform, request)
      const payload = encodePayload(files.kernel, parts)
      const stream = theirs.subarray(STREAM)
      expect(Buffer.compare(decodeLzma(stream, payload.length), payload)).toBe(0)
      expect(
        Buffer.compare(
          encodeCoreImage(files, parts, () => stream),
          theirs,
        ),
      ).toBe(0)
      await checkOneBuild(platform, names, dependencies)

      const ours = encodeCoreImage(files, parts)
      expect(Buffer.compare(decodeLzma(ours.subarray(STREAM), payload.length), payload)).toBe(0)
      expect((ours.length - STREAM) / stream.length).toBeLessThan(1.06)
    })

    test.runIf(requireOracleRoot('grub-mkimage'))('as the newest grub-mkimage makes it', async () => {
      const request = REQUESTS['what an installation embeds']
      await runOkInOracleRoot(folder, 'grub-mkimage', mkimage('/work', request))
      const theirs = new Uint8Array(await readFile(join(folder, 'core.img')))
      const { files, parts } = await partsOf(platform, request)
      expect(
        Buffer.compare(
          encodeCoreImage(files, parts, () => theirs.subarray(STREAM)),
          theirs,
        ),
      ).toBe(0)
    })

    test('modules say what moddep.lst says, in an order that loads as well', async () => {
      const request = REQUESTS['a GRUB that needs no other file']
      const { names } = await partsOf(platform, request)
      const withoutList = cloneTree(tree)
      removePath(withoutList, `${GRUB_MODULES}/moddep.lst`)
      const bare = openGrubPlatform(withoutList)
      const again = await partsOf(bare, request)
      expect([...again.names].sort()).toEqual([...names].sort())
      await checkOneBuild(bare, again.names, again.dependencies)
    })

    const canSetUp = existsSync(setup) && requireTool('mke2fs') && canLoopMount('ext4')
    test.runIf(canSetUp)('the disk is as grub-bios-setup leaves it', async () => {
      const { files, parts } = await partsOf(platform, REQUESTS['what an installation embeds'])
      const core = encodeCoreImage(files, parts)
      const bootSector = await platform.file('boot.img')
      const bootCode = createBootCode(bootSector, core)

      const [ours, theirs] = [join(folder, 'ours.raw'), join(folder, 'theirs.raw')]
      await saveDisk(theirs)
      await saveDisk(ours, bootCode)
      await mkdir(join(folder, 'boot'), { recursive: true })
      await writeFile(join(folder, 'boot/boot.img'), bootSector)
      await writeFile(join(folder, 'boot/core.img'), core)
      const filesystem = join(folder, 'boot.ext4')
      await runOk('mke2fs', [
        '-q',
        '-t',
        'ext4',
        '-O',
        '^has_journal',
        '-d',
        join(folder, 'boot'),
        filesystem,
        '8M',
      ])
      await withLoopMount(filesystem, { type: 'ext4' }, async (mounted) => {
        const { stdout } = await runOk('findmnt', ['-no', 'SOURCE', mounted])
        const map = join(folder, 'device.map')
        await writeFile(map, `(hd0) ${theirs}\n(hd1) ${stdout.trim()}\n`)
        await runOk(setup, ['--no-rs-codes', '-s', '-d', mounted, '-m', map, '(hd0)'])
      })
      const [a, b] = [await readFile(ours), await readFile(theirs)]
      expect(Buffer.compare(a, b)).toBe(0)
      const { names } = await partsOf(platform, REQUESTS['what an installation embeds'])
      expect(await readBootCode(memorySource(new Uint8Array(b)))).toEqual({
        firstSector: 2048,
        size: bootCode.size,
        kernelSize: encodePayload(files.kernel, parts).length - encodeModuleArea(parts).length,
        modules: names,
        config: CONFIG,
        prefix: PREFIX,
      })
    })
  })
}

/** A disk with a BIOS boot partition and nothing else. */
async function saveDisk(path: string, bootCode?: BootCode): Promise<void> {
  const partition = {
    ...{ number: 1, name: 'bios', type: PARTITION_TYPES.biosBoot, label: '', attributes: [] },
    ...{ uuid: 'cccccccc-0000-4000-8000-000000000001', start: MiB, size: MiB },
  }
  const uuid = 'dddddddd-0000-4000-8000-000000000000'
  const plan = { uuid, size: 4 * MiB, sectorSize: 512, partitions: [partition] }
  const device = memoryDevice(plan.size)
  await writeDisk(plan, { sysroot: createTree(), ...(bootCode && { bootCode }) }, device)
  await saveDevice(device, path)
}
