import zlib from 'node:zlib'
import {
  collect,
  concatBytes,
  equalBytes,
  FormatError,
  MiB,
  memoryDevice,
  memorySink,
  memorySource,
  portableRuntime,
  readAll,
  utf8,
} from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { readGce, writeGce } from '@bootable/disk/gce'
import { extract } from 'tar-stream'
import { describe, expect, it } from 'vitest'

async function sparseDisk(size: number): Promise<ReturnType<typeof memoryDevice>> {
  const disk = memoryDevice(size)
  await disk.write(0, utf8('boot sector'))
  await disk.write(3 * MiB - 5, utf8('across a border'))
  await disk.write(size - 8, utf8('the end.'))
  return disk
}

describe('gce', () => {
  it.each([
    ['portable', portableRuntime],
    ['node', nodeRuntime],
  ] as const)('is one member that another tar reads, %s runtime', async (_, runtime) => {
    const disk = await sparseDisk(5 * MiB)
    const file = memorySink()
    const { fileSize } = await writeGce(disk, file, { runtime, time: 1_700_000_000 })
    expect(fileSize).toBe(file.size)
    expect(fileSize).toBeLessThan(20_000)
    const tar = zlib.gunzipSync(await readAll(file.source()))
    expect(tar.subarray(257, 265).toString('latin1')).toBe('ustar  \0')

    const members: { name: string; size?: number; mtime?: Date; data: Uint8Array }[] = []
    const parser = extract()
    parser.end(tar)
    for await (const entry of parser) {
      members.push({ ...entry.header, data: await collect(entry as AsyncIterable<Uint8Array>) })
    }
    expect(members).toHaveLength(1)
    expect(members[0]).toMatchObject({ name: 'disk.raw', size: 5 * MiB, mtime: new Date(1_700_000_000_000) })
    expect(equalBytes(members[0]?.data as Uint8Array, await readAll(disk))).toBe(true)

    const inside = await readGce(memorySource(new Uint8Array(tar)))
    expect(equalBytes(await readAll(inside), await readAll(disk))).toBe(true)
  })

  it('has room for sizes that octal digits cannot tell', async () => {
    const disk = memoryDevice(9 * 1024 ** 3)
    const chunks: Uint8Array[] = []
    const runtime = {
      ...portableRuntime,
      async *gzip(input: AsyncIterable<Uint8Array>) {
        for await (const chunk of input) {
          if (chunks.length === 0) chunks.push(chunk)
          yield new Uint8Array(0)
        }
      },
    }
    await writeGce(disk, memorySink(), { runtime })
    const header = (chunks[0] as Uint8Array).subarray(0, 512)
    expect(header[124]).toBe(0x80)
    const archive = memoryDevice(disk.size + 2048)
    await archive.write(0, header)
    expect((await readGce(archive)).size).toBe(disk.size)
  })

  it('never reads a hole', async () => {
    const disk = await sparseDisk(40 * MiB)
    let read = 0
    const counted = {
      ...disk,
      async read(offset: number, target: Uint8Array) {
        read += target.length
        await disk.read(offset, target)
      },
    }
    await writeGce(counted, memorySink(), { runtime: nodeRuntime })
    expect(read).toBeLessThan(200)
  })

  it('is read sparse, as the manual of Compute Engine has it made', async () => {
    // "tar --format=oldgnu -Sc disk.raw": one stretch of 512 bytes at 1 MiB, and the mark of the end.
    const header = new Uint8Array(512)
    const put = (offset: number, text: string): void => header.set(utf8(text), offset)
    put(0, 'disk.raw')
    put(124, `${(512).toString(8).padStart(11, '0')}\0`)
    put(148, ' '.repeat(8))
    put(156, 'S')
    put(257, 'ustar  \0')
    put(386, `${MiB.toString(8).padStart(11, '0')}\0${(512).toString(8).padStart(11, '0')}\0`)
    put(410, `${(2 * MiB).toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0`)
    put(483, `${(2 * MiB).toString(8).padStart(11, '0')}\0`)
    const sum = header.reduce((total, byte) => total + byte, 0)
    put(148, `${sum.toString(8).padStart(6, '0')}\0 `)
    const data = new Uint8Array(512).fill(7)
    const disk = await readGce(memorySource(concatBytes([header, data, new Uint8Array(1024)])))
    expect(disk.size).toBe(2 * MiB)
    const ranges: object[] = []
    for await (const range of disk.dataRanges?.() ?? []) ranges.push(range)
    expect(ranges).toEqual([{ offset: MiB, length: 512 }])
    const content = await readAll(disk)
    expect(content[MiB - 1]).toBe(0)
    expect(content[MiB + 511]).toBe(7)
  })

  it('is refused without its member, cut or damaged', async () => {
    const file = memorySink()
    const plain = await sparseDisk(4 * MiB)
    await writeGce(plain, file)
    const tar = new Uint8Array(zlib.gunzipSync(await readAll(file.source())))
    for (const length of [0, 100, 511, 512, 5000, MiB]) {
      await expect(readGce(memorySource(tar.slice(0, length))), `${length}`).rejects.toBeInstanceOf(
        FormatError,
      )
    }
    for (let bit = 0; bit < 512 * 8; bit += 13) {
      const flipped = tar.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      const result = await readGce(memorySource(flipped)).catch((error: unknown) => error)
      // Bits behind the digits of the checksum say nothing.
      if (result instanceof Error || bit < 154 * 8 || bit >= 156 * 8)
        expect(result).toBeInstanceOf(FormatError)
    }
    await expect(readGce(memorySource(new Uint8Array(1024)))).rejects.toThrow('disk.raw')
  })

  it('stops when told to', async () => {
    const controller = new AbortController()
    const disk = await sparseDisk(64 * MiB)
    const writing = writeGce(disk, memorySink(), {
      signal: controller.signal,
      onProgress: (event) => event.type === 'advance' && controller.abort(new Error('enough')),
    })
    await expect(writing).rejects.toThrow('enough')
  })
})
