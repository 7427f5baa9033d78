import { createHash } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BuildDiskFilesOptions, buildDiskFiles, folderOutputs, planDiskFiles } from '@bootable/core/node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MINIMAL_MACHINE, tarOf, writeLayout } from '../../../../tooling/images.ts'

let folder: string
let options: BuildDiskFilesOptions & { readonly output: string }
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bootable-core-'))
  writeLayout(join(folder, 'layout'), { layers: [{ tar: tarOf(MINIMAL_MACHINE) }] })
  const image = `oci:${join(folder, 'layout')}`
  options = { image, cache: false, size: 'minimum', output: join(folder, 'output') }
})
afterEach(() => rm(folder, { recursive: true }))

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort()
}

const sha256 = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

describe('folderOutputs', () => {
  it('lays files out as bootc-image-builder does, one for equal bytes', () => {
    const outputs = folderOutputs('out', ['raw', 'qcow2', 'ami', 'raw'])
    expect(outputs.map(({ path, types }) => [path, types])).toEqual([
      [join('out', 'image', 'disk.raw'), ['raw', 'ami']],
      [join('out', 'qcow2', 'disk.qcow2'), ['qcow2']],
    ])
    expect(folderOutputs('out', ['ami']).map(({ path }) => path)).toEqual([join('out', 'image', 'disk.raw')])
  })

  it.each(['floppy', 'raw,qcow2', ''])('does not know the type "%s"', (type) => {
    expect(() => folderOutputs('out', [type])).toThrow(
      expect.objectContaining({ code: 'OUTPUT_TYPE_UNKNOWN' }),
    )
  })
})

describe('buildDiskFiles', () => {
  it('leaves the disks and nothing else', async () => {
    const built = await buildDiskFiles({ ...options, types: ['qcow2', 'raw'] })
    expect(await filesBelow(options.output)).toEqual(['disk.qcow2', 'disk.raw'])
    const [, raw] = built.outputs.map(({ path }) => path) as [string, string]
    const { size, blocks } = await stat(raw)
    expect(size).toBe(built.plan.size)
    expect(blocks * 512).toBeLessThan(size / 2)
    const first = await sha256(raw)
    await buildDiskFiles({ ...options, types: ['raw'] })
    expect(await sha256(raw)).toBe(first)
  })

  it('uses a scratch disk where no output is raw, and removes it', async () => {
    await buildDiskFiles(options)
    expect(await filesBelow(options.output)).toEqual(['disk.qcow2'])
  })

  it('keeps what was there when a later output cannot be had', async () => {
    await mkdir(join(options.output, 'qcow2', 'disk.qcow2'), { recursive: true })
    await mkdir(join(options.output, 'image'))
    await writeFile(join(options.output, 'image', 'disk.raw'), 'good')
    const attempt = buildDiskFiles({ ...options, types: ['raw', 'qcow2'] })
    await expect(attempt).rejects.toMatchObject({ code: 'FILE_NOT_WRITABLE' })
    expect(await filesBelow(options.output)).toEqual(['disk.raw'])
    expect(await readFile(join(options.output, 'image', 'disk.raw'), 'utf8')).toBe('good')
  })

  it.skipIf(process.getuid?.() === 0)('says which folder cannot be written', async () => {
    await mkdir(options.output)
    await chmod(options.output, 0o555)
    await expect(buildDiskFiles(options)).rejects.toMatchObject({ code: 'FILE_NOT_WRITABLE' })
  })

  it('says which folder cannot be made', async () => {
    await writeFile(options.output, '')
    const attempt = buildDiskFiles(options)
    await expect(attempt).rejects.toMatchObject({ code: 'FILE_NOT_WRITABLE' })
    await expect(attempt).rejects.toThrow(options.output)
  })

  it('leaves nothing when it is cancelled while it writes', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const onProgress = (event: { readonly type: string; readonly id?: string }): void => {
      if (event.type === 'start' && event.id === 'qcow2') controller.abort(reason)
    }
    const attempt = buildDiskFiles({ ...options, signal: controller.signal, onProgress })
    await expect(attempt).rejects.toBe(reason)
    expect(await filesBelow(options.output)).toEqual([])
  })

  it.each([1_000_001, 100 * 1024 ** 2 + 512])('takes a size of %d bytes or says why not', async (size) => {
    const attempt = buildDiskFiles({ ...options, size, types: ['raw'] })
    if (size % 512 !== 0) {
      await expect(attempt).rejects.toMatchObject({ code: 'DISK_OPTIONS_INVALID' })
    } else await expect(attempt).rejects.toMatchObject({ code: 'DISK_TOO_SMALL' })
    expect(await filesBelow(options.output)).toEqual([])
  })

  it('writes a disk whose size is not whole MiB', async () => {
    const size = 2 * 1024 ** 3 + 512
    const { outputs, plan } = await buildDiskFiles({ ...options, size, types: ['raw', 'qcow2'] })
    expect(plan.size).toBe(size)
    expect((await stat(outputs[0]?.path as string)).size).toBe(size)
  })
})

describe('SOURCE_DATE_EPOCH', () => {
  afterEach(() => {
    delete process.env.SOURCE_DATE_EPOCH
  })

  it('is the clock unless one is given', async () => {
    process.env.SOURCE_DATE_EPOCH = '1700000000'
    expect((await planDiskFiles(options)).clock).toBe(1_700_000_000)
    expect((await planDiskFiles({ ...options, clock: 5 })).clock).toBe(5)
    process.env.SOURCE_DATE_EPOCH = ''
    expect((await planDiskFiles(options)).clock).toBe(0)
  })

  it.each(['yesterday', '-1', '1.5'])('is refused when it is "%s"', async (text) => {
    process.env.SOURCE_DATE_EPOCH = text
    await expect(planDiskFiles(options)).rejects.toMatchObject({ code: 'CLOCK_INVALID' })
  })
})
