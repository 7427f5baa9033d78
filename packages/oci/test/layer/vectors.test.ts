import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { collect, memorySource, sparseSource, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { MEDIA_TYPE, unpackImage, writeLayerTar } from '@bootable/oci'
import {
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSymlink,
  createTree,
  type FileTree,
  lookup,
  putInode,
  removePath,
} from '@bootable/tree'
import { expect, test } from 'vitest'
import { dump, imageOf, list } from '../unpack/layers.ts'

const folder = join(import.meta.dirname, '../vectors')
const long = 'long-'.repeat(30)

/** What `vectors/make.sh` makes; `nanoseconds`, xattrs and great ids only where the format has them. */
function expectedTree(nanoseconds: number): FileTree {
  const isPax = nanoseconds > 0
  const given = { mtime: { seconds: 1_700_000_000, nanoseconds } }
  const tree = createTree(given)
  const ids = isPax ? { uid: 4_294_000_000, gid: 3_000_000_000 } : {}
  putInode(tree, 'dir', createDirectory({ ...given, ...ids, mode: 0o1777 }))
  const file = putInode(tree, 'dir/file', createFile('hello\n', { ...given, mode: 0o4755 }))
  putInode(tree, 'hard', file)
  putInode(tree, 'soft', createSymlink('dir/file', { ...given, uid: 1234, gid: 4321 }))
  putInode(tree, 'soft-long', createSymlink(`${long}/target`, given))
  putInode(tree, long, createFile('x', given))
  putInode(tree, 'größe', createFile('ü', given))
  putInode(tree, 'fifo', createFifo(given))
  putInode(tree, 'null', createDevice('character', 1, 3, { ...given, mode: 0o644 }))
  putInode(tree, 'disk', createDevice('block', 259, 70_000, { ...given, mode: 0o644 }))
  const extents = [0, 1, 2, 3, 4, 5].map((index) => {
    const data = utf8(`data at ${index * 131_072}`)
    return { offset: index * 131_072, length: data.length, source: memorySource(data), sourceOffset: 0 }
  })
  putInode(tree, 'sparse', createFile(sparseSource(1_048_576, extents), given))
  const capability = new Uint8Array(20)
  capability.set([1, 0, 0, 2, 0x80])
  const xattrs = new Map([
    ['user.binary', Uint8Array.from([0, 255, 10, 61, 128])],
    ['user.text', utf8('ä=b')],
    ['security.capability', capability],
  ])
  if (isPax) putInode(tree, 'xattrs', createFile('cap', { ...given, xattrs }))
  return tree
}

async function unpackVector(name: string): Promise<FileTree> {
  const blob = new Uint8Array(readFileSync(join(folder, name)))
  const isZstd = name.endsWith('.zst')
  const tar = isZstd
    ? await collect(nodeRuntime.decompress('zstd', chunksOf(blob)))
    : new Uint8Array(gunzipSync(blob))
  const mediaType = isZstd ? MEDIA_TYPE.layerZstd : MEDIA_TYPE.layerGzip
  const image = await imageOf([tar], { compress: () => blob, mediaType })
  return unpackImage(image, { runtime: nodeRuntime })
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

test.each([
  ['gnu.tar.gz', 0],
  ['posix.tar.zst', 123_456_789],
  ['posix-0.0.tar.gz', 123_456_789],
  ['posix-0.1.tar.gz', 123_456_789],
  ['posix-1.0.tar.gz', 123_456_789],
])('%s of GNU tar', async (name, nanoseconds) => {
  expect(await dump(await unpackVector(name))).toBe(await dump(expectedTree(nanoseconds)))
})

test('bsdtar.tar.gz', async () => {
  expect(await dump(await unpackVector('bsdtar.tar.gz'))).toBe(await dump(expectedTree(123_456_789)))
})

test('ustar.tar.gz and v7.tar.gz: what fits these formats', async () => {
  const ustar = expectedTree(0)
  for (const path of ['dir', 'hard', 'disk', 'soft-long', long]) removePath(ustar, path)
  expect(await dump(await unpackVector('ustar.tar.gz'))).toBe(await dump(ustar))
  expect(await list(await unpackVector('v7.tar.gz'))).toEqual(['größe=ü', 'soft->dir/file'])
})

test('sparse files keep their holes', async () => {
  for (const name of [
    'gnu.tar.gz',
    'posix-0.0.tar.gz',
    'posix-0.1.tar.gz',
    'posix-1.0.tar.gz',
    'bsdtar.tar.gz',
  ]) {
    const file = lookup(await unpackVector(name), 'sparse')
    if (file?.type !== 'file' || !file.content.dataRanges) throw new Error(`${name}: no sparse file`)
    let data = 0
    for await (const { length } of file.content.dataRanges()) data += length
    // The filesystem gave each of the six stretches one block of 4 KiB.
    expect(data).toBe(6 * 4096)
  }
})

test('our writer: the bytes of this tree, plain and sparse', async () => {
  const digests = await Promise.all(
    [false, true].map(async (sparse) => {
      const tar = await collect(writeLayerTar(expectedTree(123_456_789), { sparse }))
      return `${tar.length} ${createHash('sha256').update(tar).digest('hex')}`
    }),
  )
  expect(digests).toMatchInlineSnapshot(`
    [
      "1071616 821b6f2bdae4c3ebedeabb4ea02ea862c2ed083cb6e8fa466c61a915459629ac",
      "24064 2972e4e8fd0fce198d24aaf891121e716a229a37a977c7cf9184e0267e949b35",
    ]
  `)
})
