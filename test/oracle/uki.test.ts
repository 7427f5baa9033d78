import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type PeImage, readPe, readUki, writeUki } from '@bootable/bootloader'
import { type ByteSource, memorySource, readAll, utf8 } from '@bootable/bytes'
import { type FileTree, findFile, walkTree } from '@bootable/tree'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Fixture, findFixture } from '../../tooling/fixture.ts'
import { readFixtureFiles } from '../../tooling/fixture-files.ts'
import { newestOracle, runInOracleRoot, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { requireTool, runOk, temporaryFolder } from '../../tooling/oracles.ts'
import { sampleInitramfs } from '../../tooling/sample/layers.ts'
import { buildTinyKernel } from '../../tooling/sample/tiny-kernel.ts'

const STUB = 'usr/lib/systemd/boot/efi/linuxx64.efi.stub'
const FOLDERS = ['usr/lib/systemd/boot/efi', 'usr/lib/bootupd/updates', 'usr/lib/efi']

const PARTS = {
  '.osrel': utf8('ID=sample\nPRETTY_NAME="Sample 1"\n'),
  '.cmdline': utf8('root=UUID=1 console=ttyS0'),
  '.uname': utf8('1.0.0-tiny'),
  '.initrd': sampleInitramfs(),
  '.linux': buildTinyKernel(),
}

function contentOf(tree: FileTree, path: string): ByteSource {
  const file = findFile(tree, path)
  if (!file) throw new Error(`the fixture has no /${path}`)
  return file.content
}

interface Section {
  readonly name: string
  readonly size: number
  readonly address: bigint
  readonly offset: number
}

/** `objdump -h -w`: index, name, size, address, load address, offset … */
const SECTION = /^\s*\d+\s+(\S+)\s+([0-9a-f]{8})\s+([0-9a-f]{16})\s+[0-9a-f]{16}\s+([0-9a-f]{8})\s/

async function objdumpSections(path: string): Promise<Section[]> {
  const { stdout } = await runOk('objdump', ['-h', '-w', path])
  const found = stdout.split('\n').flatMap((line) => {
    const [, name, size = '', address = '', offset = ''] = SECTION.exec(line) ?? []
    const hex = (text: string): number => Number.parseInt(text, 16)
    return name === undefined
      ? []
      : [{ name, size: hex(size), address: BigInt(`0x${address}`), offset: hex(offset) }]
  })
  return found
}

/** The same from our reader; objdump adds the base of the image to addresses. */
function ourSections({ sections }: PeImage, base: bigint): Section[] {
  return sections.map(({ name, virtualSize, rawSize, virtualAddress, offset }) => ({
    name,
    size: Math.min(virtualSize, rawSize) || virtualSize,
    address: base + BigInt(virtualAddress),
    offset,
  }))
}

async function imageBase(path: string): Promise<bigint> {
  const { stdout } = await runOk('objdump', ['-p', path])
  return BigInt(`0x${/^ImageBase\s+([0-9a-f]+)$/m.exec(stdout)?.[1]}`)
}

const fixture = findFixture('trixie-minimal')

describe.runIf(fixture)('unified kernel images', () => {
  const folder = temporaryFolder()
  const path = join(folder, 'uki.efi')
  let programs: FileTree

  beforeAll(async () => {
    programs = await readFixtureFiles(fixture as Fixture, FOLDERS)
    const uki = await writeUki({
      stub: contentOf(programs, STUB),
      kernel: memorySource(PARTS['.linux']),
      initrd: memorySource(PARTS['.initrd']),
      commandLine: 'root=UUID=1 console=ttyS0',
      osRelease: memorySource(PARTS['.osrel']),
      uname: '1.0.0-tiny',
    })
    await writeFile(path, await readAll(uki))
  })

  describe.runIf(requireTool('objdump', 'objcopy'))('objdump, objcopy', () => {
    test('see the sections that our reader sees, in every EFI program of the image', async () => {
      const others = [...walkTree(programs)].filter(({ inode }) => inode.type === 'file')
      let count = 0
      for (const { path: name } of others) {
        if (!/\.(?:efi|stub)$/i.test(name)) continue
        const file = join(folder, 'program')
        const bytes = await readAll(contentOf(programs, name))
        await writeFile(file, bytes)
        const image = await readPe(memorySource(bytes))
        const ours = ourSections(image, await imageBase(file))
        const theirs = await objdumpSections(file)
        // Long names, which shim has, stand in a string table; our reader leaves the reference to it.
        const names = ours.map(({ name }, index) => (/^\/\d+$/.test(name) ? name : theirs[index]?.name))
        expect(
          theirs.map((section, index) => ({ ...section, name: names[index] })),
          name,
        ).toEqual(ours)
        count++
      }
      expect(count).toBeGreaterThan(3)
    })

    test('see in a unified kernel image what was put into it', async () => {
      const image = await readPe(memorySource(await readFile(path)))
      expect(await objdumpSections(path)).toEqual(ourSections(image, await imageBase(path)))
      for (const [name, content] of Object.entries(PARTS)) {
        const part = join(folder, 'part')
        await runOk('objcopy', ['--dump-section', `${name}=${part}`, path, join(folder, 'copy')])
        expect(new Uint8Array(await readFile(part)), name).toEqual(content)
      }
    })

    test('put one together that our reader reads', async () => {
      const other = join(folder, 'objcopy.efi')
      const stub = join(folder, 'stub')
      await writeFile(stub, await readAll(contentOf(programs, STUB)))
      const base = await imageBase(stub)
      const args: string[] = []
      let address = base + 0x100_0000n
      for (const [name, content] of Object.entries(PARTS)) {
        const part = join(folder, `part${name}`)
        await writeFile(part, content)
        args.push(
          '--add-section',
          `${name}=${part}`,
          '--change-section-vma',
          `${name}=0x${address.toString(16)}`,
        )
        args.push('--set-section-flags', `${name}=data,readonly,contents,alloc,load`)
        address += BigInt(Math.ceil(content.length / 0x1000) * 0x1000)
      }
      await runOk('objcopy', [...args, stub, other])
      expect(await readUki(memorySource(await readFile(other)))).toMatchObject({
        commandLine: 'root=UUID=1 console=ttyS0',
        osRelease: { PRETTY_NAME: 'Sample 1' },
        uname: '1.0.0-tiny',
      })
    })
  })

  newestOracle(['sbsign', 'sbverify', 'pesign'], () => {
    test('find signatures where our reader finds them', async () => {
      const signed: string[] = []
      const files = [...walkTree(programs)].filter(({ path: name }) => /\.(?:efi|stub)$/i.test(name))
      for (const { path: name } of files) {
        const bytes = await readAll(contentOf(programs, name))
        await writeFile(join(folder, 'program'), bytes)
        const { stdout, stderr } = await runInOracleRoot(folder, 'sbverify', ['--list', '/work/program'])
        const { certificates } = await readPe(memorySource(bytes))
        expect(certificates !== undefined, name).toBe(/^signature \d/m.test(stdout + stderr))
        if (certificates) signed.push(name.slice(name.lastIndexOf('/') + 1))
      }
      expect(signed).toEqual(expect.arrayContaining(['shimx64.efi', 'grubx64.efi']))
      expect(signed).not.toContain('linuxx64.efi.stub')
    })

    test.runIf(requireTool('openssl'))(
      'sign a unified kernel image, and find nothing odd in it',
      async () => {
        const names = ['-subj', '/CN=test', '-keyout', join(folder, 'key'), '-out', join(folder, 'cert')]
        await runOk('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3650', ...names])
        const keys = ['--key', '/work/key', '--cert', '/work/cert']
        const { stdout, stderr } = await runOkInOracleRoot(folder, 'sbsign', [
          ...keys,
          '--output',
          '/work/signed.efi',
          '/work/uki.efi',
        ])
        expect(`${stdout}${stderr}`.trim()).toBe('Signing Unsigned original image')
        await runOkInOracleRoot(folder, 'sbverify', ['--cert', '/work/cert', '/work/signed.efi'])
        const signed = memorySource(await readFile(join(folder, 'signed.efi')))
        expect((await readPe(signed)).certificates).toBeDefined()
        const listed = await runOkInOracleRoot(folder, 'pesign', ['-S', '-i', '/work/signed.efi'])
        expect(listed.stdout).toContain("The signer's common name is test")
      },
    )
  })
})
