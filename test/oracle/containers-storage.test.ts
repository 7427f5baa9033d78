import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nodeRuntime } from '@bootable/bytes/node'
import { openImageSource } from '@bootable/core/node'
import {
  copyImage,
  type Image,
  type ImageStore,
  openImage,
  putImage,
  unpackImage,
  writeLayerTar,
} from '@bootable/oci'
import { createLayout, openContainersStorage, openLayout } from '@bootable/oci/node'
import {
  createDevice,
  createFile,
  createSymlink,
  createTree,
  diffTrees,
  type FileTree,
  putInode,
} from '@bootable/tree'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { oracle, run, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const skopeo = (...args: string[]) => runOk('skopeo', ['--insecure-policy', ...args])

/** A base with links, devices, attributes and content larger than one read. */
function baseTree(): FileTree {
  const tree = createTree({ mtime: { seconds: 1_750_000_000, nanoseconds: 0 } })
  const big = createFile(patternBytes(2_500_001, 7), { mode: 0o640, uid: 12, gid: 34 })
  putInode(tree, 'usr/lib/big', big)
  putInode(tree, 'usr/lib/big-again', big)
  putInode(tree, 'usr/bin/tool', createFile('#!/bin/sh\n', { mode: 0o4755 }))
  putInode(tree, 'lib', createSymlink('usr/lib'))
  putInode(tree, 'etc/motd', createFile('hello\n'))
  putInode(tree, `etc/${'long'.repeat(40)}`, createFile('a name longer than a header holds\n'))
  putInode(tree, 'etc/empty', createFile(''))
  putInode(tree, 'dev/null', createDevice('character', 1, 3, { mode: 0o666 }))
  return tree
}

function upperTree(): FileTree {
  const tree = createTree()
  putInode(tree, 'etc/.wh.motd', createFile(''))
  putInode(tree, 'etc/hostname', createFile('machine\n'))
  putInode(tree, 'usr/bin/.wh..wh..opq', createFile(''))
  putInode(tree, 'usr/bin/other', createFile(patternBytes(70_000, 3)))
  return tree
}

async function differences(a: FileTree, b: FileTree): Promise<string[]> {
  const found: string[] = []
  for await (const { path, change, reasons } of diffTrees(a, b)) {
    found.push(`${change} ${path}: ${reasons.join(', ')}`)
  }
  return found
}

const isRoot = process.getuid?.() === 0

oracle('skopeo', () => {
  const folder = temporaryFolder()
  let source: ImageStore
  let original: Image

  beforeAll(async () => {
    source = await createLayout(join(folder, 'layout'))
    const base = () => writeLayerTar(baseTree())
    const options = { runtime: nodeRuntime }
    const config = { Labels: { role: 'test' } }
    await putImage(
      source,
      { layers: [base, () => writeLayerTar(upperTree())], config },
      { reference: 'v1', ...options },
    )
    const other = createTree()
    putInode(other, 'srv/other', createFile('other\n'))
    await putImage(
      source,
      { layers: [base, () => writeLayerTar(other)] },
      { reference: 'v2', compression: 'none', ...options },
    )
    await putImage(source, { layers: [base] }, { reference: 'v3', ...options })
    original = await openImage(source, 'v1')
  })

  // containers/storage leaves its folder mounted on itself.
  afterAll(async () => {
    for (const graph of ['overlay', 'damaged', 'conf-main', 'conf-more']) {
      await run('umount', [join(folder, graph, 'overlay')])
    }
  })

  // overlayfs and device nodes are root's.
  describe.runIf(isRoot).each(['overlay', 'vfs'])('what skopeo stored with the driver %s', (driver) => {
    const graph = join(folder, driver)
    const where = `${driver}@${graph}+${join(folder, `${driver}-run`)}`
    const open = () => openContainersStorage({ storage: where })

    beforeAll(async () => {
      for (const tag of ['v1', 'v2']) {
        await skopeo(
          'copy',
          `oci:${join(folder, 'layout')}:${tag}`,
          `containers-storage:[${where}]localhost/test:${tag}`,
        )
      }
      await skopeo(
        'copy',
        '--format=v2s2',
        `oci:${join(folder, 'layout')}:v3`,
        `containers-storage:[${where}]docker.io/library/debian:13`,
      )
    })

    test('has the layers and the tree of the original', async () => {
      const image = await openImage(await open(), 'localhost/test:v1')
      expect(image.layers.map(({ diffId }) => diffId)).toEqual(original.layers.map(({ diffId }) => diffId))
      expect(image.layers.map(({ compression }) => compression)).toEqual(['none', 'none'])
      expect(image.config.raw).toEqual(original.config.raw)
      const tree = await unpackImage(image, { runtime: nodeRuntime })
      expect(await differences(await unpackImage(original, { runtime: nodeRuntime }), tree)).toEqual([])
    })

    test('is copied with verified blobs, and skopeo reads the copy', async () => {
      const copy = join(folder, `${driver}-copy`)
      const image = await openImage(await open(), 'test:v1')
      await copyImage(image, await createLayout(copy), 'copied')
      await skopeo('copy', `oci:${copy}:copied`, `dir:${copy}-dir`)
      const inspected = JSON.parse((await skopeo('inspect', `oci:${copy}:copied`)).stdout)
      expect(inspected.Layers).toEqual(original.layers.map(({ diffId }) => diffId))
      // skopeo's own copy has the same layers and configuration.
      const theirs = join(folder, `${driver}-theirs`)
      await skopeo('copy', `containers-storage:[${where}]localhost/test:v1`, `oci:${theirs}:x`)
      const read = await openImage(await openLayout(theirs), 'x')
      expect(read.config.descriptor.digest).toBe(image.config.descriptor.digest)
    })

    test('is found by name, short name, id, start of the id and digest', async () => {
      const store = await open()
      const id = original.config.descriptor.digest.slice('sha256:'.length)
      const { digest } = await store.resolve('localhost/test:v1')
      for (const reference of [
        'test:v1',
        id,
        `@${id}`,
        `sha256:${id}`,
        id.slice(0, 12),
        original.manifest.descriptor.digest,
        `localhost/test@${original.manifest.descriptor.digest}`,
        digest,
      ]) {
        expect((await store.resolve(reference)).digest, reference).toBe(digest)
      }
      expect((await openImage(store, 'debian:13')).manifest.mediaType).toMatch(/docker/)
      const names: string[] = []
      for await (const name of store.tags?.() ?? []) names.push(name)
      expect(names.sort()).toEqual(['docker.io/library/debian:13', 'localhost/test:v1', 'localhost/test:v2'])
      await expect(store.resolve('')).rejects.toMatchObject({ code: 'REFERENCE_AMBIGUOUS' })
      await expect(store.resolve('test:v3')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
    })

    test('has an address that the front door takes', async () => {
      const { image, close } = await openImageSource(`containers-storage:[${where}]localhost/test:v2`)
      expect(image.layers).toHaveLength(2)
      await close()
    })

    test('is read from an offset', async () => {
      const store = await open()
      const [layer] = (await openImage(store, 'test:v1')).layers
      if (!layer) throw new Error('no layer')
      const read = async (offset: number): Promise<Buffer> => {
        const chunks: Uint8Array[] = []
        for await (const chunk of await store.openBlob(layer.descriptor, { offset })) chunks.push(chunk)
        return Buffer.concat(chunks)
      }
      const whole = await read(0)
      expect(whole.length).toBe(layer.descriptor.size)
      for (const offset of [1, 511, 1_048_576, 1_500_000, whole.length - 1]) {
        expect(whole.subarray(offset).equals(await read(offset)), String(offset)).toBe(true)
      }
    })

    test('images that share layers are both whole', async () => {
      const store = await open()
      const [a, b] = [await openImage(store, 'test:v1'), await openImage(store, 'test:v2')]
      expect(a.layers[0]?.descriptor).toEqual(b.layers[0]?.descriptor)
      const tree = await unpackImage(b, { runtime: nodeRuntime })
      const wanted = await unpackImage(await openImage(source, 'v2'), { runtime: nodeRuntime })
      expect(await differences(wanted, tree)).toEqual([])
    })
  })

  describe.runIf(isRoot)('a storage that was damaged', () => {
    const graph = join(folder, 'damaged')
    const where = `overlay@${graph}+${join(folder, 'damaged-run')}`
    const readAll = async (): Promise<void> => {
      const image = await openImage(await openContainersStorage({ storage: where }), 'test:v1')
      await unpackImage(image, { runtime: nodeRuntime })
    }
    /** The unpacked folder of the base. */
    const diff = () => join(graph, 'overlay', original.layers[0]?.diffId.slice(7) as string, 'diff')

    beforeAll(async () => {
      await skopeo(
        'copy',
        `oci:${join(folder, 'layout')}:v1`,
        `containers-storage:[${where}]localhost/test:v1`,
      )
      await readAll()
    })

    test('a file of another size is named', async () => {
      const path = join(diff(), 'etc/motd')
      await truncate(path, 3)
      await expect(readAll()).rejects.toMatchObject({
        code: 'LAYER_UNAVAILABLE',
        message: expect.stringContaining('etc/motd'),
      })
      writeFileSync(path, 'hello\n')
      await readAll()
    })

    test('a file of other content is noticed', async () => {
      const path = join(diff(), 'etc/motd')
      writeFileSync(path, 'HELLO\n')
      await expect(readAll()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
      writeFileSync(path, 'hello\n')
    })

    test('a link does not lead to a file of the host', async () => {
      const path = join(diff(), 'etc/motd')
      const host = join(folder, 'host-file')
      writeFileSync(host, 'hello\n')
      rmSync(path)
      symlinkSync(host, path)
      await expect(readAll()).rejects.toMatchObject({ code: 'LAYER_UNAVAILABLE' })
      rmSync(path)
      writeFileSync(path, 'hello\n')
      await readAll()
      // The same for a folder on the way: it is followed within the layer, where there is nothing.
      await runOk('mv', [join(diff(), 'etc'), join(folder, 'host-etc')])
      symlinkSync(join(folder, 'host-etc'), join(diff(), 'etc'))
      await expect(readAll()).rejects.toMatchObject({ code: 'LAYER_UNAVAILABLE' })
      rmSync(join(diff(), 'etc'))
      await runOk('mv', [join(folder, 'host-etc'), join(diff(), 'etc')])
      await readAll()
    })

    test('a layer without tar-split is explained', async () => {
      const layers = join(graph, 'overlay-layers')
      const record = (await readdir(layers)).find((name) => name.endsWith('.tar-split.gz')) as string
      const bytes = await readFile(join(layers, record))
      rmSync(join(layers, record))
      await expect(readAll()).rejects.toMatchObject({
        code: 'LAYER_UNAVAILABLE',
        hint: expect.stringContaining('zstd:chunked'),
      })
      await writeFile(join(layers, record), bytes.subarray(0, bytes.length - 20))
      await expect(readAll()).rejects.toMatchObject({ code: expect.stringMatching(/^FORMAT_/) })
      await writeFile(join(layers, record), bytes)
      await readAll()
    })
  })

  test.runIf(isRoot)('the storage that storage.conf names, with an additional one', async () => {
    const [main, more] = [join(folder, 'conf-main'), join(folder, 'conf-more')]
    for (const [graph, tag] of [
      [main, 'v1'],
      [more, 'v2'],
    ] as const) {
      const where = `overlay@${graph}+${join(folder, 'conf-run')}`
      await skopeo(
        'copy',
        `oci:${join(folder, 'layout')}:${tag}`,
        `containers-storage:[${where}]localhost/conf:${tag}`,
      )
    }
    const conf = join(folder, 'storage.conf')
    writeFileSync(
      conf,
      `[storage]\ndriver = "overlay"\nrunroot = "${folder}/conf-run"\ngraphroot = "${main}"\n[storage.options]\nadditionalimagestores = ["${more}"]\n`,
    )
    const store = await openContainersStorage({ host: { env: { CONTAINERS_STORAGE_CONF: conf } } })
    for (const tag of ['v1', 'v2']) {
      const image = await openImage(store, `conf:${tag}`)
      const tree = await unpackImage(image, { runtime: nodeRuntime })
      const wanted = await unpackImage(await openImage(source, tag), { runtime: nodeRuntime })
      expect(await differences(wanted, tree)).toEqual([])
    }
  })
})
