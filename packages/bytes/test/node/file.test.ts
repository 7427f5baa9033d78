import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileDevice, createOutputFile, openFileSource, writeOutputFile } from '@bootable/bytes/node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootable-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('createFileDevice', () => {
  it('leaves holes and knows where they are not', async () => {
    const path = join(folder, 'disk')
    const device = await createFileDevice(path, { size: 1024 ** 3 })
    await device.write(5_000_000, new Uint8Array(70_000).fill(7))
    await device.write(1024 ** 3 - 1, Uint8Array.of(9))
    const ranges = []
    for await (const range of device.dataRanges()) ranges.push(range)
    expect(ranges).toEqual([
      { offset: 5_000_000, length: 70_000 },
      { offset: 1024 ** 3 - 1, length: 1 },
    ])
    const back = new Uint8Array(4)
    await device.read(5_000_000 - 2, back)
    expect(back).toEqual(Uint8Array.of(0, 0, 7, 7))
    await expect(device.write(1024 ** 3, Uint8Array.of(1))).rejects.toMatchObject({
      code: 'DEVICE_OUT_OF_BOUNDS',
    })
    await device.close()
    const { size, blocks } = await stat(path)
    expect(size).toBe(1024 ** 3)
    expect(blocks * 512).toBeLessThan(1024 ** 2)
  })

  it('says which file cannot be written', async () => {
    const attempt = createFileDevice(join(folder, 'missing', 'disk'))
    await expect(attempt).rejects.toMatchObject({ code: 'FILE_NOT_WRITABLE' })
  })
})

describe('a device that is shortened', () => {
  it('has no data behind its end', async () => {
    const device = await createFileDevice(join(folder, 'disk'))
    await device.write(0, new Uint8Array(1000).fill(1))
    await device.write(5000, new Uint8Array(1000).fill(1))
    await device.truncate(500)
    const ranges = []
    for await (const range of device.dataRanges()) ranges.push(range)
    expect(ranges).toEqual([{ offset: 0, length: 500 }])
    await device.close()
  })

  it('says which length cannot be', async () => {
    const path = join(folder, 'disk')
    const attempt = createFileDevice(path, { size: 2 ** 53 - 1 })
    await expect(attempt).rejects.toMatchObject({ code: 'FILE_NOT_WRITABLE', details: { path } })
  })
})

describe('openFileSource', () => {
  it('finds data wherever it starts and ends', async () => {
    const path = join(folder, 'sparse')
    const grain = 65_536
    const bytes = new Uint8Array(40 * grain + 100)
    // The last byte of a grain, a run over the edge of what is read at once, and the last byte of all.
    for (const at of [2 * grain - 1, 15 * grain, 16 * grain, 17 * grain + 9, bytes.length - 1]) bytes[at] = 1
    await writeFile(path, bytes)
    const source = await openFileSource(path)
    const ranges = []
    for await (const range of source.dataRanges?.() ?? []) ranges.push(range)
    expect(ranges).toEqual([
      { offset: grain, length: grain },
      { offset: 15 * grain, length: 3 * grain },
      { offset: 40 * grain, length: 100 },
    ])
    await source.close()
  })

  it('refuses what is no file, without waiting for it', async () => {
    await expect(openFileSource(folder)).rejects.toMatchObject({ code: 'FILE_NOT_READABLE' })
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    await expect(openFileSource(pipe)).rejects.toThrow(/not a regular file/)
  })

  it('finds the data of a sparse file', async () => {
    const path = join(folder, 'sparse')
    await writeFile(path, new Uint8Array(100).fill(1))
    await truncate(path, 10_000_000)
    const source = await openFileSource(path)
    const ranges = []
    for await (const range of source.dataRanges?.() ?? []) ranges.push(range)
    expect(ranges).toEqual([{ offset: 0, length: 65_536 }])
    await source.close()
  })

  it('notices a file that became shorter', async () => {
    const path = join(folder, 'file')
    await writeFile(path, new Uint8Array(1000))
    const source = await openFileSource(path)
    await truncate(path, 10)
    await expect(source.read(0, new Uint8Array(100))).rejects.toMatchObject({ code: 'FORMAT_TRUNCATED' })
    await source.close()
    await expect(openFileSource(join(folder, 'none'))).rejects.toMatchObject({ code: 'FILE_NOT_READABLE' })
  })
})

describe('writeOutputFile', () => {
  it('shows the final name only when all is written', async () => {
    const path = join(folder, 'image', 'disk.raw')
    await writeOutputFile(path, async (device) => {
      await device.write(0, Uint8Array.of(1, 2, 3))
      expect(await readdir(join(folder, 'image'))).not.toContain('disk.raw')
    })
    expect([...(await readFile(path))]).toEqual([1, 2, 3])
  })

  it('keeps the old file and nothing else when writing fails', async () => {
    const path = join(folder, 'disk.raw')
    await writeFile(path, 'good')
    const attempt = writeOutputFile(path, async (device) => {
      await device.write(0, Uint8Array.of(1))
      throw new Error('no')
    })
    await expect(attempt).rejects.toThrow('no')
    expect(await readdir(folder)).toEqual(['disk.raw'])
    expect(await readFile(path, 'utf8')).toBe('good')
  })
})

describe('createOutputFile', () => {
  it('says at once that a name cannot be had', async () => {
    await mkdir(join(folder, 'disk.raw'))
    await expect(createOutputFile(join(folder, 'disk.raw'))).rejects.toMatchObject({
      code: 'FILE_NOT_WRITABLE',
    })
    await writeFile(join(folder, 'file'), '')
    await expect(createOutputFile(join(folder, 'file', 'disk.raw'))).rejects.toMatchObject({
      code: 'FILE_NOT_WRITABLE',
    })
    expect((await readdir(folder)).sort()).toEqual(['disk.raw', 'file'])
  })

  it('takes a commit back', async () => {
    const file = await createOutputFile(join(folder, 'disk.raw'))
    await file.commit()
    expect(await readdir(folder)).toEqual(['disk.raw'])
    await file.discard()
    expect(await readdir(folder)).toEqual([])
  })

  it('leaves nothing when the name was taken meanwhile', async () => {
    const path = join(folder, 'disk.raw')
    const attempt = writeOutputFile(path, async () => {
      await mkdir(path)
    })
    await expect(attempt).rejects.toMatchObject({ code: 'FILE_NOT_WRITABLE' })
    expect(await readdir(folder)).toEqual(['disk.raw'])
  })
})
