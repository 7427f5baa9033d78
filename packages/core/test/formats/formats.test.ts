import { gzipSync } from 'node:zlib'
import {
  type BlockDevice,
  type ByteSource,
  collect,
  concatBytes,
  equalBytes,
  FormatError,
  MiB,
  memoryDevice,
  memorySink,
  memorySource,
  readAll,
  utf8,
  zstdStream,
} from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { memoryOutput, openDiskSource, writeFormat } from '@bootable/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compressFile } from '../../src/formats/write-format.ts'
import type { DiskFormat, FileCompression } from '../../src/output-types.ts'

const runtime = nodeRuntime
const FORMATS: readonly DiskFormat[] = ['raw', 'qcow2', 'vmdk', 'vhd', 'vhdx', 'gce', 'ova']

async function makeDisk(size = 6 * MiB): Promise<BlockDevice> {
  const disk = memoryDevice(size)
  await disk.write(0, utf8('boot sector'))
  await disk.write(
    2 * MiB - 100,
    Uint8Array.from({ length: 70_000 }, (_, index) => (index * index) % 253),
  )
  await disk.write(size - 16, utf8('end of the disk.'))
  return disk
}

async function file(format: DiskFormat, disk: ByteSource): Promise<ByteSource> {
  const target = memorySink()
  await writeFormat(format, disk, target, { seed: 'test', runtime })
  return target.source()
}

async function expectSame(source: ByteSource, disk: ByteSource): Promise<void> {
  expect(source.size).toBe(disk.size)
  expect(equalBytes(await readAll(source), await readAll(disk))).toBe(true)
}

describe('every format', () => {
  it.each(FORMATS)('%s is recognised and gives its disk back', async (format) => {
    const disk = await makeDisk()
    const opened = await openDiskSource(await file(format, disk), { runtime })
    expect(opened).toMatchObject({ format, compression: 'none' })
    await expectSame(opened.source, disk)
    await opened.close()
  })

  it.each(FORMATS)('%s has the same bytes every time', async (format) => {
    const [first, second] = [await file(format, await makeDisk()), await file(format, await makeDisk())]
    expect(equalBytes(await readAll(first), await readAll(second))).toBe(true)
  })

  it.each(FORMATS)('%s never reads a hole', async (format) => {
    const disk = await makeDisk(200 * MiB)
    let read = 0
    const counted: ByteSource = {
      ...disk,
      async read(offset, target) {
        read += target.length
        await disk.read(offset, target)
      },
    }
    await file(format, counted)
    expect(read).toBeLessThan(3 * MiB)
  })

  it.each(
    (['raw', 'vhd', 'vhdx'] as const).flatMap((format) =>
      (['gz', 'zst'] as const).map((compression): [DiskFormat, FileCompression] => [format, compression]),
    ),
  )('%s in %s is recognised and gives its disk back', async (format, compression) => {
    const disk = await makeDisk()
    const packed = memorySink()
    await compressFile(compression, await file(format, disk), packed, { runtime })
    expect(packed.size).toBeLessThan(200_000)
    const scratch = memoryOutput('raw')
    const opened = await openDiskSource(packed.source(), { runtime, scratch: () => scratch.create() })
    expect(opened).toMatchObject({ format, compression: compression === 'gz' ? 'gzip' : 'zstd' })
    await expectSame(opened.source, disk)
  })

  it('holds whatever is on the disk', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...FORMATS),
        fc.integer({ min: 1, max: 4096 }).map((sectors) => sectors * 512),
        fc.array(fc.tuple(fc.nat(2 * MiB), fc.uint8Array({ minLength: 1, maxLength: 9000 })), {
          maxLength: 5,
        }),
        async (format, size, writes) => {
          const disk = memoryDevice(size)
          for (const [offset, data] of writes) {
            if (offset + data.length <= size) await disk.write(offset, data)
          }
          // A disk may begin like another format; that is not what is tried here.
          await disk.write(0, Uint8Array.of(0xeb, 0x63, 0x90, 0).subarray(0, Math.min(4, size)))
          const opened = await openDiskSource(await file(format, disk), { runtime })
          await expectSame(opened.source, disk)
          await opened.close()
        },
      ),
      { numRuns: 40 },
    )
  })

  it('qcow2 takes zstd and no compression', async () => {
    const disk = await makeDisk()
    for (const qcow2Compression of ['zlib', 'zstd', 'none'] as const) {
      const target = memorySink()
      await writeFormat('qcow2', disk, target, { seed: 'test', runtime, qcow2Compression })
      const opened = await openDiskSource(target.source(), { runtime })
      await expectSame(opened.source, disk)
    }
  })
})

describe('openDiskSource', () => {
  it('refuses a file that is compressed twice, and an archive of something else', async () => {
    const disk = await readAll(await makeDisk())
    const twice = memorySource(new Uint8Array(gzipSync(gzipSync(disk))))
    await expect(openDiskSource(twice, { runtime })).rejects.toThrow('compressed twice')
    const gce = new Uint8Array(await readAll(await file('gce', await makeDisk())))
    const tar = await collect(runtime.decompress('gzip', chunk(gce)))
    tar.set(utf8('disk.img'), 0)
    const sum = tar
      .subarray(0, 512)
      .reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0)
    tar.set(utf8(sum.toString(8).padStart(6, '0')), 148)
    await expect(openDiskSource(memorySource(new Uint8Array(gzipSync(tar))), { runtime })).rejects.toThrow(
      'disk.raw',
    )
  })

  it('stops at the size that is allowed, and cleans up', async () => {
    const bomb = memorySource(new Uint8Array(gzipSync(new Uint8Array(40 * MiB), { level: 9 })))
    let discarded = 0
    const scratch = async () => {
      const output = await memoryOutput('raw').create()
      return { ...output, discard: async () => void discarded++ }
    }
    const opening = openDiskSource(bomb, { runtime, scratch, maxSize: 20 * MiB })
    await expect(opening).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    expect(discarded).toBe(1)
    const opened = await openDiskSource(bomb, { runtime, scratch })
    expect(opened.source.size).toBe(40 * MiB)
    for await (const range of opened.source.dataRanges?.() ?? []) expect(range).toBe('no data')
    await opened.close()
    expect(discarded).toBe(2)
  })

  it.each(['gzip', 'zstd'])('tells a %s stream that was cut', async (compression) => {
    const disk = await readAll(await makeDisk())
    const packed =
      compression === 'gzip'
        ? new Uint8Array(gzipSync(disk))
        : await collect(zstdStream(chunk(disk), { runtime }))
    const cut = memorySource(packed.slice(0, packed.length - 30))
    await expect(openDiskSource(cut, { runtime })).rejects.toBeInstanceOf(FormatError)
  })

  it('takes what it does not know for a raw disk', async () => {
    for (const bytes of [
      new Uint8Array(0),
      new Uint8Array(3),
      concatBytes([utf8('hello'), new Uint8Array(600)]),
    ]) {
      const opened = await openDiskSource(memorySource(bytes), { runtime })
      expect(opened).toMatchObject({ format: 'raw', compression: 'none' })
    }
  })
})

async function* chunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
