import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodeRuntime } from '@bootable/bytes/node'
import { openImageSource } from '@bootable/core/node'
import { type Image, memoryStore, openImage, putImage, unpackImage, writeLayerTar } from '@bootable/oci'
import { openDockerDaemon, writeDockerArchive } from '@bootable/oci/node'
import { createFile, createTree, diffTrees, putInode } from '@bootable/tree'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { patternBytes } from '../../tooling/compliance/trees.ts'
import { findTool, oracle, run, runOk, temporaryFolder } from '../../tooling/oracles.ts'

/** Podman's service speaks the API of a Docker daemon. It is asked for images alone: no container runs. */
oracle('podman', () => {
  // A storage of its own, and files of any owner in it, are root's.
  describe.runIf(process.getuid?.() === 0)('podman system service', () => {
    const folder = temporaryFolder()
    const socket = join(folder, 'podman.sock')
    const host = `unix://${socket}`
    const storage = [
      ...['--root', join(folder, 'graph'), '--runroot', join(folder, 'run')],
      ...['--storage-driver', 'vfs'],
    ]
    let service: ChildProcess | undefined
    let original: Image

    beforeAll(async () => {
      const tree = createTree()
      putInode(tree, 'usr/lib/big', createFile(patternBytes(1_500_000, 3)))
      putInode(tree, 'etc/motd', createFile('hello\n', { uid: 5, gid: 6 }))
      const upper = createTree()
      putInode(upper, 'etc/.wh.motd', createFile(''))
      const layers = [() => writeLayerTar(tree), () => writeLayerTar(upper)]
      const store = memoryStore({ runtime: nodeRuntime })
      await putImage(store, { layers }, { reference: 'v1', runtime: nodeRuntime })
      original = await openImage(store, 'v1')
      const archive = join(folder, 'image.tar')
      await writeDockerArchive(archive, [{ image: original, tags: ['example.org/a/b:v1'] }])
      await runOk('podman', [...storage, 'load', '--input', archive])
      service = spawn(
        findTool('podman') ?? 'podman',
        [...storage, 'system', 'service', '--time=60', `unix://${socket}`],
        { stdio: 'ignore' },
      )
      for (let tries = 0; !existsSync(socket) && tries < 100; tries++) await sleep(100)
    })

    afterAll(async () => {
      if (service && service.exitCode === null) {
        const ended = once(service, 'exit')
        service.kill()
        await ended
      }
      await run('umount', [join(folder, 'graph/vfs')])
    })

    test('an image by its name and by its id', async () => {
      for (const reference of ['example.org/a/b:v1', original.config.descriptor.digest]) {
        const store = await openDockerDaemon(reference, { host, folder })
        const image = await openImage(store, '')
        expect(image.config.descriptor.digest).toBe(original.config.descriptor.digest)
        expect(image.layers.map(({ diffId }) => diffId)).toEqual(original.layers.map(({ diffId }) => diffId))
        const [theirs, ours] = [await unpackImage(image), await unpackImage(original)]
        for await (const { path, change } of diffTrees(ours, theirs)) expect.fail(`${path} is ${change}`)
        const names: string[] = []
        for await (const name of store.tags?.() ?? []) names.push(name)
        expect(names).toContain('example.org/a/b:v1')
        await store.close?.()
      }
    })

    test('has an address that the front door takes', async () => {
      vi.stubEnv('DOCKER_HOST', host)
      const { image, close } = await openImageSource('docker-daemon:example.org/a/b:v1')
      expect(image.layers).toHaveLength(2)
      await close()
      vi.unstubAllEnvs()
    })

    test('no such image', async () => {
      await expect(openDockerDaemon('example.org/none:v1', { host, folder })).rejects.toMatchObject({
        code: 'REFERENCE_UNKNOWN',
      })
    })
  })
})
