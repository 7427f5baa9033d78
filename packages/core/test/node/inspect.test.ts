import { mkdtempSync, writeFileSync } from 'node:fs'
import { copyFile, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { openImage } from '@bootable/core'
import { buildDiskFiles, inspectFile } from '@bootable/core/node'
import { writeDockerArchive, writeOciArchive } from '@bootable/oci/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tarOf } from '../../../../tooling/images.ts'
import { createSampleImage, SAMPLE_REFERENCE } from '../../../../tooling/sample/sample-image.ts'

let folder: string
const at = (name: string): string => join(folder, name)
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bootable-inspect-'))
  const store = await createSampleImage()
  const image = await openImage(store, SAMPLE_REFERENCE)
  await writeOciArchive(at('oci.tar'), [{ source: { store, reference: SAMPLE_REFERENCE }, name: '' }])
  await writeDockerArchive(at('docker.tar'), [{ image, tags: ['sample:1'] }])
  await buildDiskFiles({
    image: `oci-archive:${at('oci.tar')}`,
    cache: false,
    size: 'minimum',
    types: ['raw', 'qcow2'],
    output: folder,
  })
})
afterAll(() => rm(folder, { recursive: true }))

describe('inspectFile', () => {
  it.each([
    ['image/disk.raw', 'raw'],
    ['qcow2/disk.qcow2', 'qcow2'],
  ])('describes %s', async (name, format) => {
    const report = await inspectFile(at(name))
    expect(report).toMatchObject({ kind: 'disk', format })
    expect(report.system?.kernels).toHaveLength(1)
    expect(report.system?.bootEntries).toHaveLength(1)
  })

  it.each(['oci.tar', 'docker.tar'])('finds out what %s is', async (name) => {
    const report = await inspectFile(at(name))
    expect(report).toMatchObject({ kind: 'image', bootable: true })
    expect(report.system?.kernels).toHaveLength(1)
  })

  it.each<[what: string, bytes: Uint8Array]>([
    ['an empty file', new Uint8Array(0)],
    ['a few bytes', new Uint8Array(100)],
    ['a disk without a table', new Uint8Array(1_000_000)],
    ['a qcow2 header', Uint8Array.from('QFI\xfb'.padEnd(600, '\0'), (character) => character.charCodeAt(0))],
  ])('says what %s is not', async (_, bytes) => {
    writeFileSync(at('odd'), bytes)
    await expect(inspectFile(at('odd'))).rejects.toMatchObject({
      code: 'INSPECT_UNKNOWN',
      message: expect.stringContaining(at('odd')),
    })
  })

  it('says what a folder, a tar and a compressed archive are not', async () => {
    await mkdir(at('folder'))
    await expect(inspectFile(at('folder'))).rejects.toMatchObject({ code: 'INSPECT_UNKNOWN' })
    await writeFile(at('some.tar'), tarOf([{ name: 'a', data: 'x' }]))
    await expect(inspectFile(at('some.tar'))).rejects.toThrow(/oci-layout/)
    await writeFile(at('some.tar.gz'), gzipSync(new Uint8Array(2 ** 20), { level: 0 }))
    await expect(inspectFile(at('some.tar.gz'))).rejects.toMatchObject({ code: 'INSPECT_UNKNOWN' })
    await writeFile(at('oci.tar.gz'), gzipSync(await readFile(at('oci.tar'))))
    await expect(inspectFile(at('oci.tar.gz'))).rejects.toMatchObject({
      code: 'INSPECT_UNKNOWN',
      hint: expect.stringContaining('archives of images that are not compressed'),
    })
    await expect(inspectFile(at('nowhere.raw'))).rejects.toThrow(/there is no file .*nowhere\.raw/)
  })

  it('refuses a qcow2 file that was cut in its tables', async () => {
    const store = at('cut.qcow2')
    await copyFile(at('qcow2/disk.qcow2'), store)
    await truncate(store, 70_000)
    await expect(inspectFile(store)).rejects.toMatchObject({ code: 'INSPECT_UNKNOWN' })
  })
})
