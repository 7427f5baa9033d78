import { type ByteSource, FormatError, memorySink, memorySource, readAll } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { type Qcow2Source, readQcow2, type WriteQcow2Options, writeQcow2 } from '@bootable/disk/qcow2'
import { describe, expect, test } from 'vitest'
import { BLOCK, content, disk, exhaust, MiB } from '../blocks/samples.ts'

const CLUSTER = BLOCK

async function convert(source: ByteSource, options: WriteQcow2Options = {}): Promise<ByteSource> {
  const sink = memorySink()
  await writeQcow2(source, sink, { runtime: nodeRuntime, ...options })
  return sink.source()
}

const open = (source: ByteSource): Promise<Qcow2Source> => readQcow2(source, { runtime: nodeRuntime })

describe('writeQcow2 and readQcow2', () => {
  test('holes are not read, zero clusters not stored', async () => {
    const written = await disk(10 * 1024 * MiB, [
      [5 * 1024 * MiB, content('text', CLUSTER, 1)],
      [6 * 1024 * MiB, content('zero', 4 * MiB, 1)],
    ])
    let read = 0
    const source: ByteSource = {
      ...written,
      async read(offset, target) {
        read += target.length
        await written.read(offset, target)
      },
    }
    const sink = memorySink()
    const summary = await writeQcow2(source, sink, { compress: false })
    expect(read).toBe(4 * MiB + CLUSTER)
    expect(summary).toEqual({
      size: 10 * 1024 * MiB,
      clusters: 1,
      compressed: 0,
      fileSize: sink.source().size,
    })
    expect(sink.source().size).toBe(6 * CLUSTER) // header, data, L2, L1, refcount table and block
  })
})

describe('damaged images', () => {
  const sample = async (): Promise<Uint8Array> => {
    const source = await disk(8 * MiB, [
      [0, content('text', 3 * CLUSTER, 1)],
      [MiB, content('noise', 2 * CLUSTER, 2)],
      [5 * MiB, content('text', 1000, 3)],
    ])
    return readAll(await convert(source))
  }

  const refusals: [what: string, offset: number, value: number, code: string][] = [
    ['another magic', 0x03, 0, 'FORMAT_INVALID'],
    ['version 4', 0x07, 4, 'FORMAT_UNSUPPORTED'],
    ['a backing file', 0x0e, 1, 'FORMAT_UNSUPPORTED'],
    ['clusters of 256 bytes', 0x17, 8, 'FORMAT_INVALID'],
    ['clusters of 4 MiB', 0x17, 22, 'FORMAT_INVALID'],
    ['a size above 2^53', 0x18, 0x80, 'FORMAT_INVALID'],
    ['a size that L1 does not cover', 0x1b, 1, 'FORMAT_INVALID'],
    ['encryption', 0x23, 2, 'FORMAT_UNSUPPORTED'],
    ['an L1 table outside', 0x2a, 1, 'FORMAT_TRUNCATED'],
    ['an L1 table inside a cluster', 0x2f, 8, 'FORMAT_INVALID'],
    ['the corrupt bit', 0x4f, 2, 'FORMAT_UNSUPPORTED'],
    ['external data', 0x4f, 4, 'FORMAT_UNSUPPORTED'],
    ['extended L2 entries', 0x4f, 16, 'FORMAT_UNSUPPORTED'],
    ['a short header', 0x67, 80, 'FORMAT_INVALID'],
    ['another compression', 0x68, 2, 'FORMAT_UNSUPPORTED'],
    ['zstd without its bit', 0x68, 1, 'FORMAT_INVALID'],
  ]
  test.each(refusals)('%s is refused', async (_, offset, value, code) => {
    const bytes = await sample()
    bytes[offset] = value
    const error = await exhaust(bytes, open)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as FormatError).code).toBe(code)
  })

  test('one L2 table under two entries is refused', async () => {
    const source = await disk(1024 * MiB, [[0, content('text', CLUSTER, 1)]])
    const bytes = await readAll(await convert(source))
    const l1 = Number(new DataView(bytes.buffer).getBigUint64(0x28))
    bytes.copyWithin(l1 + 8, l1, l1 + 8)
    await expect(open(memorySource(bytes))).rejects.toThrow(/used twice/)
  })
})
