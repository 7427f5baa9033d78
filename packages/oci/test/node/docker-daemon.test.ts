import { chmodSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { memoryStore, openImage, unpackImage } from '@bootable/oci'
import { openDockerDaemon, writeDockerArchive, writeOciArchive } from '@bootable/oci/node'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { putTestImage, temporaryFolder } from '../fixture.ts'
import { list } from '../unpack/layers.ts'

const folder = temporaryFolder()
const spool = temporaryFolder()
const socket = join(folder, 'docker.sock')
const host = `unix://${socket}`
const ID = `sha256:${'ab'.repeat(32)}`
const server: { current?: Server; paths: string[] } = { paths: [] }
let dockerArchive: Uint8Array
let ociArchive: Uint8Array

beforeAll(async () => {
  const store = memoryStore()
  await putTestImage(store, 'v1')
  const image = await openImage(store, 'v1')
  await writeDockerArchive(join(folder, 'docker.tar'), [{ image, tags: [] }])
  await writeOciArchive(join(folder, 'oci.tar'), [{ source: image, name: '' }])
  dockerArchive = await readFile(join(folder, 'docker.tar'))
  ociArchive = await readFile(join(folder, 'oci.tar'))
})

/** A daemon that answers the second question with this. */
async function serve(
  answer: (response: ServerResponse) => void,
  inspected: unknown = { Id: ID, RepoTags: ['example.org/a/b:v1'] },
): Promise<void> {
  server.paths = []
  const listening = createServer((request, response) => {
    server.paths.push(request.url ?? '')
    if (request.url?.endsWith('/get')) answer(response)
    else response.end(typeof inspected === 'string' ? inspected : JSON.stringify(inspected))
  })
  server.current = listening
  await new Promise<void>((resolve) => listening.listen(socket, resolve))
}

afterEach(async () => {
  server.current?.closeAllConnections()
  await new Promise((resolve) => (server.current ? server.current.close(resolve) : resolve(undefined)))
  delete server.current
  // Whatever happened, nothing is left of it.
  expect(readdirSync(spool)).toEqual([])
})

const open = (reference = 'example.org/a/b:v1', options = {}) =>
  openDockerDaemon(reference, { host, folder: spool, ...options })

describe('openDockerDaemon', () => {
  it.each([
    ['a docker-archive', () => dockerArchive],
    ['an oci-archive', () => ociArchive],
  ])('reads %s', async (_, archive) => {
    await serve((response) => response.end(archive()))
    const store = await open()
    expect(server.paths).toEqual([
      '/images/example.org/a/b%3Av1/json',
      `/images/${encodeURIComponent(ID)}/get`,
    ])
    for (const reference of ['', 'example.org/a/b:v1', ID]) {
      const tree = await unpackImage(await openImage(store, reference))
      expect(await list(tree)).toEqual(['file0=lower\n', 'file1=upper\n'])
    }
    await expect(store.resolve('other')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
    expect(readdirSync(spool)).toHaveLength(1)
    await store.close?.()
  })

  it('speaks TCP with this host', async () => {
    await serve((response) => response.end(dockerArchive))
    const listening = server.current as Server
    const tcp = createServer((request, response) => listening.emit('request', request, response))
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve))
    const { port } = tcp.address() as { port: number }
    const store = await open('a', { host: `tcp://127.0.0.1:${port}` })
    expect((await openImage(store, '')).layers).toHaveLength(2)
    await store.close?.()
    tcp.closeAllConnections()
    tcp.close()
  })

  it('passes on that there is no such image', async () => {
    await serve((response) => {
      response.statusCode = 404
      response.end('{"message":"No such image"}')
    })
    await expect(open()).rejects.toMatchObject({
      code: 'REFERENCE_UNKNOWN',
      message: expect.stringContaining('No such image'),
      hint: expect.stringContaining('pulled'),
    })
  })

  it.each<[string, (response: ServerResponse) => void, object]>([
    [
      'an error of the daemon',
      (response) => {
        response.statusCode = 500
        response.end('{"message":"no space\\nleft"}')
      },
      { code: 'DAEMON_FAILED', message: expect.stringContaining('status 500: no space left') },
    ],
    [
      'an error without words',
      (response) => {
        response.statusCode = 503
        response.end('<html>')
      },
      { code: 'DAEMON_FAILED', message: expect.stringContaining('503') },
    ],
    [
      'a cut stream',
      (response) => {
        response.write(dockerArchive.subarray(0, 2000))
        setTimeout(() => response.destroy(), 20)
      },
      { code: 'DAEMON_FAILED', message: expect.stringContaining('cut after 2000 bytes') },
    ],
    [
      'a shorter archive that ends well',
      (response) => response.end(dockerArchive.subarray(0, 2000)),
      { code: expect.stringMatching(/^FORMAT_/) },
    ],
    ['no archive', (response) => response.end('hello'), { code: expect.stringMatching(/^FORMAT_/) }],
  ])('refuses %s', async (_, answer, error) => {
    await serve(answer)
    await expect(open()).rejects.toMatchObject(error)
  })

  it.each(['', '[]', '{"Id":7}', '{"Id":"../x"}'])('refuses what is said of an image: %s', async (text) => {
    await serve((response) => response.end(dockerArchive), text)
    await expect(open()).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
  })

  it('refuses an image that is too large', async () => {
    await serve((response) => response.end(dockerArchive))
    await expect(open('a', { maxSize: 1000 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  })

  it('does not wait for ever', async () => {
    await serve((response) => response.write(dockerArchive.subarray(0, 1000)))
    await expect(open('a', { idleTimeout: 100 })).rejects.toMatchObject({ code: 'DAEMON_FAILED' })
  })

  it('is cancelled', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    await serve((response) => {
      response.write(dockerArchive.subarray(0, 1000))
      setTimeout(() => controller.abort(reason), 20)
    })
    await expect(open('a', { signal: controller.signal })).rejects.toBe(reason)
  })

  it('says that nobody is there', async () => {
    await expect(open('a', { host: `unix://${folder}/none.sock` })).rejects.toMatchObject({
      code: 'DAEMON_UNAVAILABLE',
      hint: expect.stringContaining('is it running'),
    })
    await expect(open('a', { host: 'tcp://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'DAEMON_UNAVAILABLE',
      hint: expect.stringContaining('nobody listens'),
    })
  })

  it.runIf(process.getuid?.() !== 0)('says that one may not', async () => {
    await serve((response) => response.end())
    chmodSync(socket, 0)
    await expect(open()).rejects.toMatchObject({
      code: 'DAEMON_UNAVAILABLE',
      hint: expect.stringContaining('group docker'),
    })
  })

  it.each(['ssh://user:secret@host', 'tcp://user:secret@127.0.0.1:2375', 'tcp://192.0.2.1:2375', 'x'])(
    'does not speak with %s',
    async (address) => {
      const error = await open('a', { host: address }).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'DAEMON_UNAVAILABLE', hint: expect.stringContaining('ssh -L') })
      expect(JSON.stringify({ ...(error as object), message: (error as Error).message })).not.toContain(
        'secret',
      )
    },
  )
})
