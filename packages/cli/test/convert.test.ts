import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { IMAGE_OUTPUT_TYPES, OUTPUT_TYPES } from '@bootable/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { MINIMAL_MACHINE, tarOf, writeLayout } from '../../../tooling/images.ts'
import { TYPES } from '../src/commands/format-options.ts'
import { EXIT, main } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'bootable-convert-'))
const at = (name: string): string => join(folder, name)
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

/** Runs the command and answers with its status and what it printed. */
async function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text)
      return true
    })
  }
  const status = await main(args)
  vi.restoreAllMocks()
  return { status, ...said }
}

const build = (...flags: string[]) =>
  run('build', '--size', 'minimum', '--no-cache', '--output', at('out'), ...flags, `oci:${at('image')}`)

beforeAll(async () => {
  writeLayout(at('image'), { layers: [{ tar: tarOf(MINIMAL_MACHINE) }] })
  const types = [
    'vhdx',
    'raw',
    'qcow2',
    'vmdk',
    'ova',
    'vhd',
    'gce',
    'raw.zst',
    'vhd.gz',
    'containerdisk',
    'artifact',
  ]
  const built = await build(...types.flatMap((type) => ['--type', type]))
  expect(built).toMatchObject({ status: EXIT.success })
})

it('names every type that there is, and no other', () => {
  const named = TYPES.split(/[,; ]+/)
  for (const { type } of OUTPUT_TYPES) expect(named).toContain(type.split('.')[0])
  for (const type of Object.keys(IMAGE_OUTPUT_TYPES)) expect(named).toContain(type)
})

describe('bootable build, every type in one run', () => {
  const FILES: readonly [path: string, says: string][] = [
    ['image/disk.raw', 'raw, '],
    ['qcow2/disk.qcow2', 'qcow2, '],
    ['vmdk/disk.vmdk', 'vmdk, '],
    ['archive/disk.ova', 'ova, '],
    ['vpc/disk.vhd', 'vhd, '],
    ['vhdx/disk.vhdx', 'vhdx, '],
    ['gce/disk.tar.gz', 'gce, '],
    ['image/disk.raw.zst', 'raw compressed with zstd, '],
    ['vpc/disk.vhd.gz', 'vhd compressed with gzip, '],
    ['containerdisk/disk.oci.tar', 'qcow2 in a containerdisk, '],
  ]
  it.each(FILES)('%s is a disk', async (path, says) => {
    const { status, stdout } = await run('inspect', at(`out/${path}`))
    expect(status).toBe(EXIT.success)
    expect(stdout.split('\n')[0]).toContain(`  ${says}`)
    expect(stdout).toMatch(/kernel +\d/)
  })

  it('leaves nothing else', async () => {
    const entries = await readdir(at('out'), { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
    expect(files).toHaveLength(FILES.length + 2) // the artifact, and the manifest of the build
  })

  it('an artifact of one file is opened, one of many is not', async () => {
    const many = await run('inspect', at('out/artifact/disk.oci.tar'))
    expect(many.status).toBe(EXIT.failure)
    expect(many.stderr).toContain('several files')
    const destination = `oci:${at('registry')}:disk`
    const built = await build('--type', 'artifact', '--destination', destination)
    expect(built).toMatchObject({ status: EXIT.success, stdout: `${destination}\n` })
    const { stdout } = await run('inspect', destination)
    expect(stdout).toContain('qcow2 in an artifact')
  })
})

describe('bootable convert', () => {
  it.each([
    ['out/vhdx/disk.vhdx', 'back.img'],
    ['out/gce/disk.tar.gz', 'back.raw'],
    ['out/archive/disk.ova', 'ova.raw'],
    ['out/image/disk.raw.zst', 'zst.raw'],
    ['out/vpc/disk.vhd.gz', 'vhd.raw'],
    ['out/vmdk/disk.vmdk', 'vmdk.raw'],
    ['out/containerdisk/disk.oci.tar', 'containerdisk.raw'],
  ])('from %s to %s', async (input, output) => {
    expect(await run('convert', at(input), at(output))).toMatchObject({
      status: EXIT.success,
      stdout: `${at(output)}\n`,
    })
    expect((await readFile(at(output))).equals(await readFile(at('out/image/disk.raw')))).toBe(true)
  })

  it('to every type, and there and back', async () => {
    for (const type of ['vhd.zst', 'gce', 'vhdx', 'containerdisk']) {
      const output = type === 'containerdisk' ? `oci-archive:${at('x.tar')}` : at('x')
      const there = await run('convert', '--type', type, at('out/qcow2/disk.qcow2'), output)
      expect(there, type).toMatchObject({ status: EXIT.success })
      const back = await run('convert', type === 'containerdisk' ? at('x.tar') : at('x'), at('y.raw'))
      expect(back, type).toMatchObject({ status: EXIT.success })
      expect((await readFile(at('y.raw'))).equals(await readFile(at('out/image/disk.raw'))), type).toBe(true)
    }
  })

  it('tells what it did as JSON', async () => {
    const { stdout } = await run('convert', '--progress', 'json', at('out/vpc/disk.vhd.gz'), at('z.qcow2'))
    const result = JSON.parse(stdout.trim().split('\n').at(-1) as string)
    expect(result).toMatchObject({
      type: 'result',
      output: { type: 'qcow2', format: 'vhd', compression: 'gzip', path: at('z.qcow2') },
    })
  })

  it.each<[what: string, args: () => string[], says: RegExp]>([
    ['a file that is not there', () => [at('nowhere.raw'), at('a.raw')], /there is no file .*nowhere/],
    [
      'a name that says nothing',
      () => [at('out/image/disk.raw'), at('a.b')],
      /does not say what to write[\s\S]*--type/,
    ],
    [
      'a type that is none',
      () => ['--type', 'floppy', at('out/image/disk.raw'), at('a')],
      /no output type "floppy"/,
    ],
    ['a folder', () => [folder, at('a.raw')], /is a folder/],
    [
      'a place that is not written',
      () => ['--type', 'artifact', at('out/image/disk.raw'), 'docker-archive:x.tar'],
      /not put into a docker-archive/,
    ],
    ['an image without a disk', () => [`oci:${at('image')}`, at('a.raw')], /carries no disk/],
  ])('refuses %s', async (_, args, says) => {
    const { status, stderr, stdout } = await run('convert', ...args())
    expect(status).toBe(EXIT.failure)
    expect(stderr).toMatch(says)
    expect(stdout).toBe('')
  })

  it('refuses damaged files of every format, and leaves nothing', async () => {
    const before = await readdir(folder)
    for (const name of [
      'qcow2/disk.qcow2',
      'vmdk/disk.vmdk',
      'vhdx/disk.vhdx',
      'gce/disk.tar.gz',
      'archive/disk.ova',
      'image/disk.raw.zst',
    ]) {
      const file = await readFile(at(`out/${name}`))
      await writeFile(at('cut'), file)
      await truncate(at('cut'), Math.floor(file.length / 2))
      const { status, stderr } = await run('convert', at('cut'), at('result.raw'))
      expect(status, name).toBe(EXIT.failure)
      expect(stderr, name).not.toContain('    at ')
      rmSync(at('cut'))
    }
    await writeFile(at('twice.gz'), gzipSync(gzipSync(new Uint8Array(5000))))
    const twice = await run('inspect', at('twice.gz'))
    expect(twice.stderr).toMatch(/compressed twice/)
    rmSync(at('twice.gz'))
    expect(await readdir(folder)).toEqual(before)
  })
})

describe('bootable build', () => {
  it.each([
    [['--type', 'iso'], /installers/],
    [['--type', 'qcow2,raw'], /several times/],
    [['--destination', 'oci:x'], /0 are made/],
    [['--type', 'containerdisk', '--destination', 'docker-archive:x'], /not put into a docker-archive/],
    [['--type', 'containerdisk', '--destination', 'docker://localhost/UPPER'], /lower case/],
  ])('refuses %j before it reads the image', async (flags, says) => {
    const { status, stderr } = await run('build', ...flags, 'oci:nowhere')
    expect(status).toBe(EXIT.failure)
    expect(stderr).toMatch(says)
  })

  it('refuses a compression that is none', async () => {
    const { status } = await run('build', '--qcow2-compression', 'lzma', 'oci:nowhere')
    expect(status).toBe(EXIT.usage)
  })
})
