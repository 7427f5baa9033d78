import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { BootableError, collect } from '@bootable/bytes'
import { memoryStore, openImage } from '@bootable/oci'
import {
  createLayout,
  openDockerArchive,
  openLayout,
  openOciArchive,
  writeDockerArchive,
  writeOciArchive,
} from '@bootable/oci/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { putTestImage } from '../fixture.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootable-oci-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

describe('oci-archive', () => {
  test('gives back every byte of what was written, the same bytes each time', async () => {
    const store = memoryStore()
    const descriptor = await putTestImage(store, 'latest')
    const image = await openImage(store, 'latest')
    const path = join(folder, 'image.tar')
    await writeOciArchive(path, [{ source: image, name: 'v1' }])
    const first = sha256(path)
    await writeOciArchive(path, [{ source: { store, reference: 'latest' }, name: 'v1' }])
    expect(sha256(path)).toBe(first)

    const archive = await openOciArchive(path)
    expect(await collect(archive.tags?.() as never, 0).catch(() => 0)).toBeDefined()
    const read = await openImage(archive, '')
    expect(read.manifest.descriptor.digest).toBe(descriptor.digest)
    for (const { descriptor } of read.layers) await collect(await archive.openBlob(descriptor))
    await archive.close?.()
  })

  test('chooses among several images by name', async () => {
    const store = memoryStore()
    const one = await putTestImage(store, 'one', { files: ['1'] })
    const two = await putTestImage(store, 'two', { files: ['2'] })
    const path = join(folder, 'image.tar')
    await writeOciArchive(path, [
      { source: { store, reference: 'one' }, name: 'one' },
      { source: { store, reference: 'two' }, name: 'two' },
    ])
    const archive = await openOciArchive(path)
    expect((await archive.resolve('one')).digest).toBe(one.digest)
    expect((await archive.resolve('two')).digest).toBe(two.digest)
    await expect(archive.resolve('')).rejects.toMatchObject({
      code: 'REFERENCE_AMBIGUOUS',
      hint: expect.stringContaining('one, two'),
    })
    await expect(archive.resolve('three')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
    await archive.close?.()
  })
})
