import { createHash } from 'node:crypto'
import type { ProgressEvent } from '@bootable/bytes'
import { type BlobSource, type Descriptor, parseDigest } from '@bootable/oci'
import { describe, expect, test } from 'vitest'
import { openRegistry, passwordFor } from '../../src/index.ts'
import { openTestStore, overEachTransport } from '../support/client.ts'
import { describeBlob, type Seen, scriptedServer } from '../support/server.ts'
import { uploadServer } from '../support/upload.ts'

const KiB = 1024
const CONTENT = Array.from({ length: 20 * KiB }, (_, index) => `line ${index}\n`.padEnd(16)).join('')
const BLOB = describeBlob(CONTENT)
const SMALL = describeBlob('small')

/** Content in pieces, and how often it was opened. */
function sourceOf(content: string, more: Partial<BlobSource> = {}): BlobSource & { opened: number } {
  const source = {
    opened: 0,
    ...more,
    async open() {
      source.opened++
      return (async function* () {
        for (let offset = 0; offset < content.length; offset += 30_000) {
          yield Buffer.from(content.slice(offset, offset + 30_000))
        }
      })()
    },
  }
  return source
}

const isPost = ({ method }: Seen): boolean => method === 'POST'

overEachTransport((transport) => {
  test('a blob goes in one PUT, at the latest Location with its query as it was', async () => {
    const server = await uploadServer()
    const { store } = openTestStore(server.host, { transport })
    expect(await store.putBlob(sourceOf(CONTENT), { descriptor: BLOB })).toBe(BLOB)
    expect(server.blobs.get(BLOB.digest)).toBe(CONTENT)
    expect(server.asked()).toEqual(['HEAD', 'POST', 'PUT digest'])
    const put = server.seen.at(-1)
    expect(put?.path).toBe(
      `/v2/lab/image/blobs/uploads/1?state=0%20opaque~&digest=${encodeURIComponent(BLOB.digest)}`,
    )
    expect(put?.headers).toMatchObject({
      'content-length': String(BLOB.size),
      'content-type': 'application/octet-stream',
    })
    expect(put?.headers['transfer-encoding']).toBeUndefined()
    expect(server.seen[1]?.headers['content-length']).toBe('0')
  })

  test('a blob that is there is not read', async () => {
    const server = await uploadServer()
    server.blobs.set(BLOB.digest, CONTENT)
    const { store } = openTestStore(server.host, { transport })
    const source = sourceOf(CONTENT)
    const events: ProgressEvent[] = []
    await store.putBlob(source, { descriptor: BLOB, onProgress: (event) => events.push(event) })
    expect(source.opened).toBe(0)
    expect(events).toMatchObject([{ type: 'skip', id: BLOB.digest }])
  })

  test('an upload that was cut starts over on a fresh one, and the broken one is cancelled', async () => {
    let cut = false
    const server = await uploadServer(({ method }, response) => {
      if (method !== 'PUT' || cut) return false
      cut = true
      response.destroy()
      return true
    })
    const { store, events } = openTestStore(server.host, { transport })
    const source = sourceOf(CONTENT)
    const progress: ProgressEvent[] = []
    await store.putBlob(source, { descriptor: BLOB, onProgress: (event) => progress.push(event) })
    expect(server.blobs.get(BLOB.digest)).toBe(CONTENT)
    expect(server.asked()).toEqual(['HEAD', 'POST', 'PUT digest', 'DELETE', 'HEAD', 'POST', 'PUT digest'])
    expect(source.opened).toBe(2)
    expect(events).toMatchObject([{ type: 'retry', code: 'NETWORK' }])
    const done = progress.flatMap((event) => (event.type === 'advance' ? [event.done] : []))
    expect(done).toEqual([...done].sort((a, b) => a - b))
    expect(done.at(-1)).toBe(BLOB.size)
    expect(progress.map(({ type }) => type).filter((type) => type !== 'advance')).toEqual(['start', 'end'])
  })

  // What a PUT of Node's fetch cannot do by itself: it has one body and sends it once.
  test('a redirect with 307 is followed with the body, and without credentials', async () => {
    let taken: Seen | undefined
    const storage = await scriptedServer((request, response) => {
      taken = request
      response.writeHead(201).end()
    })
    const server = await uploadServer((request, response) => {
      if (!request.headers.authorization) {
        response.writeHead(401, { 'WWW-Authenticate': 'Basic realm=x' }).end()
        return true
      }
      if (request.method !== 'PUT') return false
      response.writeHead(307, { Location: `${storage.url}/bucket?signature=1` }).end()
      return true
    })
    const credentials = passwordFor(server.host, 'tester', 'secret-word')
    const { store } = openTestStore(server.host, { transport, credentials })
    await store.putBlob(sourceOf(CONTENT), { descriptor: BLOB })
    expect(taken?.method).toBe('PUT')
    expect(taken?.body).toBe(CONTENT)
    expect(taken?.headers.authorization).toBeUndefined()
  })

  // CVE-2026-50151: oras-go sent the registry's token to whatever host the Location named.
  test('a Location on another host gets no credentials and no answer to its challenge', async () => {
    const storage = await scriptedServer((_, response) => {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm=x' }).end()
    })
    const server = await uploadServer((request, response) => {
      if (!request.headers.authorization) {
        response.writeHead(401, { 'WWW-Authenticate': 'Basic realm=x' }).end()
        return true
      }
      if (!isPost(request)) return false
      response.writeHead(202, { Location: `${storage.url}/upload` }).end()
      return true
    })
    const credentials = passwordFor(server.host, 'tester', 'secret-word')
    const { store } = openTestStore(server.host, { transport, credentials })
    const push = store.putBlob(sourceOf('small'), { descriptor: SMALL })
    await expect(push).rejects.toMatchObject({ code: 'AUTH_DENIED' })
    expect(storage.seen.map(({ method }) => method)).toEqual(['PUT', 'DELETE'])
    expect(storage.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true)
  })

  test('a token that ends while a blob is sent is renewed, and the body sent again', async () => {
    let refused = false
    const server = await uploadServer((request, response) => {
      if (request.headers.authorization && (request.method !== 'PUT' || refused)) return false
      if (request.method === 'PUT') refused = true
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm=x' }).end()
      return true
    })
    let count = 0
    const { store } = openTestStore(server.host, {
      transport,
      credentials: async () => ({ type: 'password', username: 'tester', password: `secret-${count++}` }),
    })
    const source = sourceOf(CONTENT)
    await store.putBlob(source, { descriptor: BLOB })
    expect(source.opened).toBe(2)
    expect(server.blobs.get(BLOB.digest)).toBe(CONTENT)
  })

  test('a cancelled upload rejects with the reason and is given up at the registry', async () => {
    const controller = new AbortController()
    const server = await uploadServer(({ method }) => {
      if (method !== 'PUT') return false
      controller.abort('enough')
      return true
    })
    const { store } = openTestStore(server.host, { transport })
    const { signal } = controller
    await expect(store.putBlob(sourceOf(CONTENT), { descriptor: BLOB, signal })).rejects.toBe('enough')
    expect(server.asked()).toEqual(['HEAD', 'POST', 'PUT digest', 'DELETE'])
  })

  test('a source that fails is what the call fails with; nothing is tried again', async () => {
    const server = await uploadServer()
    const { store } = openTestStore(server.host, { transport })
    const failing: BlobSource = {
      open: async () =>
        (async function* () {
          yield Buffer.from(CONTENT.slice(0, 1000))
          throw new Error('the disk is gone')
        })(),
    }
    await expect(store.putBlob(failing, { descriptor: BLOB })).rejects.toThrow('the disk is gone')
    await expect(store.putBlob(sourceOf('smell'), { descriptor: SMALL })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
    await expect(store.putBlob(sourceOf('small and more'), { descriptor: SMALL })).rejects.toMatchObject({
      code: 'SIZE_MISMATCH',
    })
    expect(server.blobs.size).toBe(0)
  })
})

test('a blob of no bytes', async () => {
  const server = await uploadServer()
  const { store } = openTestStore(server.host)
  const empty = describeBlob('')
  await store.putBlob(sourceOf(''), { descriptor: empty })
  expect(server.asked()).toEqual(['POST', 'PUT digest'])
  expect(server.seen.at(-1)?.headers['content-length']).toBe('0')
  expect(await store.putBlob(sourceOf(''))).toMatchObject({ digest: empty.digest, size: 0 })
})

test('sha512 is named before anything is sent', async () => {
  const digest = parseDigest(`sha512:${createHash('sha512').update('small').digest('hex')}`)
  const server = await uploadServer(({ method }, response) => {
    if (method === 'PUT') response.writeHead(201).end()
    return method === 'PUT'
  })
  const { store } = openTestStore(server.host)
  await store.putBlob(sourceOf('small'), { descriptor: { ...SMALL, digest } })
  expect(server.seen[1]?.path).toBe('/v2/lab/image/blobs/uploads/?digest-algorithm=sha512')
})

test.each([403, 400, 405])('Artifactory: HEAD %i says nothing about a blob', async (status) => {
  const server = await uploadServer(({ method }, response) => {
    if (method === 'HEAD') response.writeHead(status).end()
    return method === 'HEAD'
  })
  const { store } = openTestStore(server.host)
  await store.putBlob(sourceOf('small'), { descriptor: SMALL })
  expect(server.blobs.get(SMALL.digest)).toBe('small')
})

test('a Location that leads to http from https stays with the host that was spoken to', async () => {
  const urls: string[] = []
  const { store } = openTestStore('registry.example', {
    transport: {
      async send({ method, url, body }) {
        urls.push(`${method} ${url.href}`)
        // Whoever answers must have taken the body first.
        if (body && !(body instanceof Uint8Array)) for await (const _ of await body.open());
        const status = method === 'POST' ? 202 : method === 'PUT' ? 201 : 404
        const headers = new Headers(
          method === 'POST'
            ? { Location: 'http://registry.example:80/v2/lab/image/blobs/uploads/1?a=b' }
            : {},
        )
        return { status, headers, body: (async function* () {})(), async cancel() {} }
      },
    },
  })
  await store.putBlob(sourceOf('small'), { descriptor: SMALL })
  const digest = encodeURIComponent(SMALL.digest)
  expect(urls.at(-1)).toBe(`PUT https://registry.example/v2/lab/image/blobs/uploads/1?a=b&digest=${digest}`)
})

test.each([301, 302, 303])('a redirect with %i of an upload is not followed', async (status) => {
  const server = await uploadServer(({ method }, response) => {
    if (method === 'PUT') response.writeHead(status, { Location: '/elsewhere' }).end()
    return method === 'PUT'
  })
  const { store } = openTestStore(server.host)
  await expect(store.putBlob(sourceOf('small'), { descriptor: SMALL })).rejects.toMatchObject({
    code: 'PROTOCOL',
    details: { status },
  })
})

describe('mounts', () => {
  const from = (host: string): Partial<BlobSource> => ({ repository: { host, repository: 'lab/origin' } })

  test('a blob of another repository is mounted', async () => {
    const server = await uploadServer((request, response) => {
      if (isPost(request)) response.writeHead(201).end()
      return isPost(request)
    })
    const { store } = openTestStore(server.host)
    const source = sourceOf('small', from(server.host))
    const events: ProgressEvent[] = []
    await store.putBlob(source, { descriptor: SMALL, onProgress: (event) => events.push(event) })
    expect(server.asked()).toEqual(['HEAD', 'POST mount'])
    const query = new URL(server.seen[1]?.path ?? '', server.url).searchParams
    expect([query.get('mount'), query.get('from')]).toEqual([SMALL.digest, 'lab/origin'])
    expect(events).toMatchObject([{ type: 'skip', id: SMALL.digest }])
    expect(source.opened).toBe(0)
  })

  test('one that cannot be mounted goes through the upload that was opened instead', async () => {
    const server = await uploadServer()
    const { store } = openTestStore(server.host)
    await store.putBlob(sourceOf('small', from(server.host)), { descriptor: SMALL })
    expect(server.asked()).toEqual(['HEAD', 'POST mount', 'PUT digest'])
    expect(server.blobs.get(SMALL.digest)).toBe('small')
  })

  test.each([400, 401, 403, 404, 405, 500])(
    'Docker Hub, Quay: a mount answered %i is asked for once',
    async (status) => {
      const server = await uploadServer(({ path }, response) => {
        if (!path.includes('mount=')) return false
        response.writeHead(status).end()
        return true
      })
      const { store } = openTestStore(server.host)
      await store.putBlob(sourceOf('small', from(server.host)), { descriptor: SMALL })
      const asked = server.asked().filter((each) => each !== 'GET')
      expect(asked).toEqual(['HEAD', 'POST mount', 'POST', 'PUT digest'])
    },
  )

  test('nothing is mounted from another registry, nor from the repository itself', async () => {
    const server = await uploadServer()
    const { store } = openTestStore(server.host)
    await store.putBlob(sourceOf('small', from('other.example')), { descriptor: SMALL })
    server.blobs.clear()
    const own = { repository: { host: server.host, repository: 'lab/image' } }
    await store.putBlob(sourceOf('small', own), { descriptor: SMALL })
    expect(server.asked().some((each) => each.includes('mount'))).toBe(false)
  })

  test('a mount asks for the right to read the source, a push for both of its own', async () => {
    const scopes: string[][] = []
    const server = await uploadServer(({ path, headers, method }, response) => {
      if (path.startsWith('/token')) {
        scopes.push(new URL(path, server.url).searchParams.getAll('scope'))
        response.end(JSON.stringify({ token: `token-${scopes.length}` }))
        return true
      }
      if (headers.authorization) return false
      const scope = method === 'HEAD' ? 'repository:lab/image:pull' : 'repository:lab/image:pull,push'
      const challenge = `Bearer realm="${server.url}/token",service="s",scope="${scope}"`
      response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
      return true
    })
    const { store } = openTestStore(server.host)
    await store.putBlob(sourceOf('small', from(server.host)), { descriptor: SMALL })
    expect(scopes).toEqual([
      ['repository:lab/image:pull,push'],
      ['repository:lab/image:pull,push', 'repository:lab/origin:pull'],
    ])
  })
})

describe('an upload that the registry has forgotten when it is to be finished', () => {
  /** Forgets the upload of each PUT, so many times. */
  const forgetful = (times: number): ReturnType<typeof uploadServer> =>
    uploadServer(({ method }, response, { uploads }) => {
      if (method !== 'PUT' || times-- <= 0) return false
      uploads.clear()
      response.writeHead(404).end('{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')
      return true
    })

  test.each([
    ['in one body', { descriptor: SMALL }],
    ['in chunks', {}],
  ])('%s, begins again', async (_, options) => {
    const server = await forgetful(1)
    const { store, events } = openTestStore(server.host)
    const source = sourceOf('small')
    expect(await store.putBlob(source, options)).toMatchObject({ digest: SMALL.digest, size: 5 })
    expect(server.blobs.get(SMALL.digest)).toBe('small')
    expect(source.opened).toBe(2)
    expect(events).toMatchObject([{ type: 'retry', message: expect.stringContaining('BLOB_UPLOAD_UNKNOWN') }])
  })

  test('does so for as many tries as there are', async () => {
    const server = await forgetful(100)
    const { store } = openTestStore(server.host, { retry: { attempts: 3 } })
    await expect(store.putBlob(sourceOf('small'), { descriptor: SMALL })).rejects.toMatchObject({
      details: { status: 404, attempts: 3 },
    })
    expect(server.asked().filter((each) => each === 'PUT digest')).toHaveLength(3)
  })
})

test('progress tells the bytes that the registry has taken', async () => {
  const server = await uploadServer()
  const client = openRegistry()
  const events: ProgressEvent[] = []
  await client.repository(`${server.host}/lab/image`).putBlob(sourceOf(CONTENT), {
    descriptor: BLOB,
    onProgress: (event) => events.push(event),
  })
  expect(events[0]).toMatchObject({ type: 'start', id: BLOB.digest, unit: 'bytes', total: BLOB.size })
  expect(events.at(-2)).toEqual({ type: 'advance', id: BLOB.digest, done: BLOB.size, total: BLOB.size })
  expect(events.at(-1)).toEqual({ type: 'end', id: BLOB.digest })
})

test('what stands in a Location is in no error and no event', async () => {
  const server = await uploadServer(({ method, path }, response) => {
    if (method !== 'POST' && method !== 'PUT') return false
    response.setHeader('Location', `${path.split('?')[0]}1?_state=signature-of-the-upload`)
    response.writeHead(method === 'POST' ? 202 : 500).end()
    return true
  })
  const { store, events } = openTestStore(server.host, { retry: { attempts: 2 } })
  const error: Error = await store.putBlob(sourceOf('small'), { descriptor: SMALL }).then(
    () => expect.unreachable(),
    (reason) => reason,
  )
  expect(error).toMatchObject({ code: 'SERVER_ERROR', details: { attempts: 2, method: 'PUT' } })
  expect(server.seen.some(({ path }) => path.includes('signature-of-the-upload'))).toBe(true)
  expect(JSON.stringify([error, error.message, events])).not.toContain('signature-of-the-upload')
})

test('a digest that cannot be computed here is refused before anything is sent', async () => {
  const server = await uploadServer()
  const { store } = openTestStore(server.host)
  const descriptor: Descriptor = { ...SMALL, digest: parseDigest(`blake3:${'0'.repeat(64)}`) }
  await expect(store.putBlob(sourceOf('small'), { descriptor })).rejects.toMatchObject({
    code: 'DIGEST_UNSUPPORTED',
  })
  expect(server.seen).toEqual([])
})
