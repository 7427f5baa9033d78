import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  buildIndex,
  diffImages,
  editImage,
  type ImageStore,
  layerOfDifference,
  openImage,
  putImage,
  rebaseImage,
  unpackImage,
  writeLayerTar,
} from '@bootable/oci'
import { createLayout, openDirectoryTree } from '@bootable/oci/node'
import {
  createDevice,
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  diffTrees,
  type FileTree,
  putInode,
  removePath,
} from '@bootable/tree'
import { beforeEach, describe, expect, test } from 'vitest'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { readHostTree } from '../../tooling/host-tree.ts'
import { oracle, requireTool, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const isRoot = process.getuid?.() === 0
const created = '2025-06-15T15:06:40Z'
const time = { mtime: { seconds: 1_750_000_000, nanoseconds: 0 } }

function lowerTree(): FileTree {
  const tree = createTree(time)
  const put = (path: string, content: string | Uint8Array) => putInode(tree, path, createFile(content, time))
  put('etc/motd', 'hello\n')
  put('etc/conf.d/one', '1')
  put('etc/conf.d/two', '2')
  put('usr/share/doc/a/readme', 'read me\n')
  put('usr/lib/big', patternBytes(1_200_000, 5))
  put('var/becomes-a-folder', 'x')
  put('var/folder/inside', 'y')
  return tree
}

/** Every kind of change: gone, emptied, replaced by another type, linked, of other attributes. */
function upperTree(): FileTree {
  const tree = lowerTree()
  for (const path of ['etc/motd', 'etc/conf.d/one', 'etc/conf.d/two', 'usr/share/doc', 'var/folder']) {
    removePath(tree, path)
  }
  putInode(tree, 'etc/conf.d/three', createFile('3', time))
  putInode(tree, 'var/becomes-a-folder', createDirectory(time))
  putInode(tree, 'var/becomes-a-folder/file', createFile('z', { ...time, mode: 0o600, uid: 12, gid: 34 }))
  putInode(tree, 'var/folder', createSymlink('becomes-a-folder', time))
  const shared = createFile('shared', { ...time, mode: 0o4755 })
  putInode(tree, 'usr/bin/one', shared)
  putInode(tree, 'usr/lib/two', shared)
  if (isRoot) putInode(tree, 'dev/null', createDevice('character', 1, 3, { ...time, mode: 0o666 }))
  return tree
}

async function differences(a: FileTree, b: FileTree, times = true): Promise<string[]> {
  const found: string[] = []
  for await (const { path, change, reasons } of diffTrees(a, b, { times })) {
    found.push(`${change} ${path}: ${reasons.join(', ')}`)
  }
  return found
}

oracle(['umoci', 'skopeo', 'tar'], () => {
  const folder = temporaryFolder()
  let count = 0
  let layout: string
  let store: ImageStore

  beforeEach(async () => {
    layout = join(folder, `layout${++count}`)
    store = await createLayout(layout)
    await putImage(
      store,
      { layers: [() => writeLayerTar(lowerTree())], config: { Env: ['A=1'] }, created },
      { reference: 'base', runtime: nodeRuntime },
    )
  })

  /** The tree that umoci makes of an image; of its owners root alone sees the true ones. */
  async function unpackByUmoci(tag: string): Promise<FileTree> {
    const bundle = join(folder, `bundle${count}-${tag}`)
    const rootless = isRoot ? [] : ['--rootless']
    await runOk('umoci', ['unpack', ...rootless, '--image', `${layout}:${tag}`, bundle])
    return readHostTree(join(bundle, 'rootfs'))
  }

  describe.runIf(isRoot && requireTool('getfattr'))('a difference as a layer', () => {
    test('unpacks to the same tree by umoci and by us', async () => {
      const layer = await layerOfDifference(lowerTree(), upperTree())
      const changes = {
        appendLayers: [{ open: () => writeLayerTar(layer), history: { created_by: 'test' } }],
        created,
      }
      await editImage(await openImage(store, 'base'), changes, store, {
        reference: 'v2',
        runtime: nodeRuntime,
      })
      expect(await differences(upperTree(), await unpackImage(await openImage(store, 'v2')))).toEqual([])
      // umoci touches the times of folders when it removes names from them.
      expect(await differences(upperTree(), await unpackByUmoci('v2'), false)).toEqual([])
      // It stumbles over entries of the history that have no time.
      expect((await runOk('umoci', ['stat', '--image', `${layout}:v2`])).stdout).toContain('test')
    })

    test('is what umoci makes of the same difference', async () => {
      const bundle = join(folder, `repack${count}`)
      await runOk('umoci', ['unpack', '--image', `${layout}:base`, bundle])
      const rootfs = join(bundle, 'rootfs')
      await runOk('sh', ['-ec', 'rm -r etc/motd usr/share/doc; echo new > etc/new; chmod 700 var'], {
        cwd: rootfs,
      })
      await runOk('umoci', ['repack', '--image', `${layout}:theirs`, bundle])
      const theirs = await unpackImage(await openImage(store, 'theirs'), { runtime: nodeRuntime })
      const wanted = await readHostTree(rootfs)
      expect(await differences(wanted, theirs, false)).toEqual([])
      const layer = await layerOfDifference(lowerTree(), theirs)
      const names: string[] = []
      for await (const chunk of writeLayerTar(layer)) names.push(Buffer.from(chunk).toString('latin1'))
      for (const name of ['etc/.wh.motd', 'usr/share/.wh.doc', 'etc/new']) {
        expect(names.join('')).toContain(name)
      }
      expect(names.join('')).not.toContain('usr/lib/big')
    })
  })

  test('GNU tar lists the layer, the same bytes each time', async () => {
    const layer = await layerOfDifference(lowerTree(), upperTree())
    const write = async (name: string): Promise<Buffer> => {
      const chunks: Uint8Array[] = []
      for await (const chunk of writeLayerTar(layer)) chunks.push(chunk)
      writeFileSync(join(folder, name), Buffer.concat(chunks))
      return readFileSync(join(folder, name))
    }
    expect((await write('a.tar')).equals(await write('b.tar'))).toBe(true)
    const { stdout, stderr } = await runOk('tar', ['--list', '--file', join(folder, 'a.tar')])
    expect(stderr).toBe('')
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining(['etc/.wh.motd', 'etc/conf.d/.wh..wh..opq', 'usr/share/.wh.doc', 'var/folder']),
    )
    expect(stdout).not.toContain('doc/a')
  })

  test('a folder of the host, appended, is what skopeo and umoci see', async () => {
    const source = join(folder, `source${count}`)
    mkdirSync(join(source, 'opt/app'), { recursive: true })
    writeFileSync(join(source, 'opt/app/run'), '#!/bin/sh\n', { mode: 0o755 })
    const tree = await openDirectoryTree(source, { owner: { uid: 0, gid: 0 }, latest: 1_700_000_000 })
    const changes = {
      appendLayers: [{ open: () => writeLayerTar(tree, { root: false }) }],
      labels: { version: '2' },
      env: { B: '2' },
      created: '2025-06-15T15:06:40Z',
    }
    await editImage(await openImage(store, 'base'), changes, store, {
      reference: 'app',
      runtime: nodeRuntime,
    })
    const inspected = JSON.parse((await runOk('skopeo', ['inspect', `oci:${layout}:app`])).stdout)
    expect(inspected).toMatchObject({
      Labels: { version: '2' },
      Env: ['A=1', 'B=2'],
      Created: changes.created,
    })
    expect(inspected.Layers).toHaveLength(2)
    const theirs = await unpackByUmoci('app')
    expect(
      (await differences(lowerTree(), theirs, false)).filter((line) => line.startsWith('added')),
    ).toEqual(['added opt: ', 'added opt/app: ', 'added opt/app/run: '])
  })

  test('a rebased image, an index and an image of Docker are read by skopeo', async () => {
    const append = async (from: string, to: string, path: string): Promise<void> => {
      const tree = createTree(time)
      putInode(tree, path, createFile(path, time))
      const changes = { appendLayers: [{ open: () => writeLayerTar(tree) }] }
      await editImage(await openImage(store, from), changes, store, { reference: to, runtime: nodeRuntime })
    }
    await append('base', 'app', 'srv/app')
    await append('base', 'newer', 'etc/newer')
    const [app, base, newer] = [
      await openImage(store, 'app'),
      await openImage(store, 'base'),
      await openImage(store, 'newer'),
    ]
    await rebaseImage(app, base, newer, store, { reference: 'rebased', baseName: 'example.org/base:2' })
    const inspect = async (tag: string, ...options: string[]) =>
      JSON.parse((await runOk('skopeo', [...options, 'inspect', `oci:${layout}:${tag}`])).stdout)
    expect((await inspect('rebased')).Layers).toEqual(
      [...newer.layers, ...app.layers.slice(1)].map(({ descriptor }) => descriptor.digest),
    )
    const files = []
    for await (const { path, change } of diffImages(app, await openImage(store, 'rebased')).files()) {
      files.push(`${change} ${path}`)
    }
    expect(files).toEqual(['added etc/newer'])

    const platform = { architecture: 'arm64', os: 'linux', variant: 'v8' }
    await editImage(app, { platform }, store, { reference: 'arm64' })
    const entries = [{ image: app }, { image: await openImage(store, 'arm64') }]
    await buildIndex(store, entries, { reference: 'multi' })
    for (const arch of ['amd64', 'arm64']) {
      expect((await inspect('multi', '--override-arch', arch)).Architecture).toBe(arch)
    }

    // skopeo has no place for Docker's manifests in a layout, but in the folder that `dir:` is.
    const docker = await editImage(app, { mediaTypes: 'docker' }, store)
    const { manifest, config, layers } = await openImage(store, docker.digest)
    const dir = join(folder, `docker${count}`)
    mkdirSync(dir)
    writeFileSync(join(dir, 'version'), 'Directory Transport Version: 1.1\n')
    writeFileSync(join(dir, 'manifest.json'), manifest.raw)
    for (const { digest } of [config.descriptor, ...layers.map(({ descriptor }) => descriptor)]) {
      const hex = digest.slice('sha256:'.length)
      copyFileSync(join(layout, 'blobs/sha256', hex), join(dir, hex))
    }
    const archive = join(folder, `docker${count}.tar`)
    await runOk('skopeo', ['--insecure-policy', 'copy', `dir:${dir}`, `docker-archive:${archive}:a/b:1`])
    const inspected = JSON.parse((await runOk('skopeo', ['inspect', `docker-archive:${archive}`])).stdout)
    expect(inspected.Layers).toEqual(app.layers.map(({ diffId }) => diffId))
  })
})
