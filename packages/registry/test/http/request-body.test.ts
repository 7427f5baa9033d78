import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { collect } from '@bootable/bytes'
import { expect, onTestFinished, test } from 'vitest'
import { exchange, type Timeouts } from '../../src/http/exchange.ts'
import type { HttpRequest, HttpResponse, Transport } from '../../src/index.ts'
import { nodeTransport } from '../../src/node/index.ts'
import { overEachTransport } from '../support/client.ts'

const MiB = 1024 * 1024

/** A server whose handler decides itself what it reads. */
async function server(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly url: URL; connections: number }> {
  const http = createServer(handle)
  const started = { url: new URL('http://127.0.0.1'), connections: 0 }
  http.on('connection', () => started.connections++)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    http.closeAllConnections()
    http.close()
  })
  started.url.port = String((http.address() as AddressInfo).port)
  return started
}

/** A body of zeros, and how far it was read. */
function bodyOf(size: number, chunk = 64 * 1024): { readonly size: number; read: number; open: OpenBody } {
  const body = {
    size,
    read: 0,
    async open() {
      body.read = 0
      return (async function* () {
        while (body.read < size) {
          const length = Math.min(chunk, size - body.read)
          body.read += length
          yield new Uint8Array(length)
        }
      })()
    },
  }
  return body
}
type OpenBody = () => Promise<AsyncIterable<Uint8Array>>

const put = (
  url: URL,
  body: HttpRequest['body'],
  transport: Transport,
  timeouts: Timeouts = {},
): Promise<HttpResponse> =>
  exchange({ method: 'PUT', url, headers: {}, ...(body && { body }) }, { transport, timeouts })

overEachTransport((transport) => {
  test('a stream is sent with its length', async () => {
    const headers: IncomingMessage['headers'][] = []
    const started = await server(async (request, response) => {
      headers.push(request.headers)
      response.end(String((await request.toArray()).reduce((sum, { length }) => sum + length, 0)))
    })
    for (const size of [3 * MiB + 1, 10]) {
      const response = await put(started.url, bodyOf(size), transport)
      expect(Buffer.from(await collect(response.body)).toString()).toBe(String(size))
    }
    expect(headers.map((each) => each['content-length'])).toEqual([String(3 * MiB + 1), '10'])
    expect(headers.every((each) => each['transfer-encoding'] === undefined)).toBe(true)
  })

  test('no more is read of a source than the server takes', async () => {
    let release: () => void = () => {}
    const started = await server(async (request, response) => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      request.resume().on('end', () => response.end())
    })
    const body = bodyOf(64 * MiB)
    const sent = put(started.url, body, transport)
    await new Promise((resolve) => setTimeout(resolve, 300))
    // Buffers of the socket and of the kernel on both sides.
    expect(body.read).toBeLessThan(24 * MiB)
    release()
    expect((await sent).status).toBe(200)
    expect(body.read).toBe(64 * MiB)
  })

  test.each([413, 401])('a server that answers %i before it has the body is heard', async (status) => {
    const started = await server((request, response) => {
      request.once('data', () => {
        request.pause()
        response.writeHead(status, { 'Content-Length': 4 }).end('full')
      })
    })
    const body = bodyOf(256 * MiB)
    const response = await put(started.url, body, transport)
    expect(response.status).toBe(status)
    expect(Buffer.from(await collect(response.body)).toString()).toBe('full')
    expect(body.read).toBeLessThan(64 * MiB)
    // What was not sent must not be taken for the next request.
    expect((await put(started.url, bodyOf(10), transport)).status).toBe(status)
  })

  test('an early answer that nobody reads', async () => {
    const started = await server((request, response) => {
      request.once('data', () => response.writeHead(413, { 'Content-Length': 4 }).end('full'))
    })
    const response = await put(started.url, bodyOf(64 * MiB), transport)
    await response.cancel()
    expect(response.status).toBe(413)
  })

  test('a server that takes nothing more is given up', async () => {
    const started = await server((request) => {
      request.once('data', () => request.pause())
    })
    const sent = put(started.url, bodyOf(256 * MiB), transport, { idle: 150 })
    await expect(sent).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('the upload stopped for 150 ms'),
      details: { retryable: true },
    })
  })

  test('a server that has everything and says nothing is given up', async () => {
    const started = await server((request) => void request.resume())
    const sent = put(started.url, bodyOf(MiB), transport, { response: 150 })
    await expect(sent).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('no answer'),
    })
  })

  test('a source may take its time: the server is not to blame', async () => {
    const started = await server((request, response) => void request.resume().on('end', () => response.end()))
    const slow: HttpRequest['body'] = {
      size: 2,
      async open() {
        await new Promise((resolve) => setTimeout(resolve, 250))
        return (async function* () {
          yield new Uint8Array(1)
          await new Promise((resolve) => setTimeout(resolve, 250))
          yield new Uint8Array(1)
        })()
      },
    }
    expect((await put(started.url, slow, transport, { idle: 100, response: 100 })).status).toBe(200)
  })

  test('a connection that breaks while the body is sent', async () => {
    const started = await server((request) => {
      request.once('data', () => request.destroy())
    })
    await expect(put(started.url, bodyOf(64 * MiB), transport)).rejects.toMatchObject({
      code: 'NETWORK',
      details: { retryable: true },
    })
  })

  test('a body that fails on its way ends the request, which the server notices', async () => {
    let aborted: (() => void) | undefined
    const noticed = new Promise<void>((resolve) => {
      aborted = resolve
    })
    const started = await server((request) => {
      request.resume().on('error', () => aborted?.())
    })
    const failing: HttpRequest['body'] = {
      size: MiB,
      open: async () =>
        (async function* () {
          yield new Uint8Array(1000)
          await new Promise((resolve) => setTimeout(resolve, 50))
          throw new Error('the disk is gone')
        })(),
    }
    await expect(put(started.url, failing, transport)).rejects.toThrow(/^the disk is gone$/)
    await noticed
  })
})

test('a source that goes on after the connection broke keeps nothing alive', async () => {
  let next: (() => void) | undefined
  const made = new Promise<void>((resolve) => {
    next = resolve
  })
  const body: HttpRequest['body'] = {
    size: 2,
    open: async () =>
      (async function* () {
        await made
        yield new Uint8Array(2)
      })(),
  }
  let reading: Promise<unknown> | undefined
  const transport: Transport = {
    async send({ body }) {
      if (!body || body instanceof Uint8Array) throw new Error('a stream was to be sent')
      reading = (await body.open())[Symbol.asyncIterator]().next()
      throw new Error('broken')
    },
  }
  await expect(put(new URL('http://registry.test/'), body, transport)).rejects.toMatchObject({
    code: 'NETWORK',
  })
  const timers = (): number => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length
  const before = timers()
  next?.()
  await reading
  expect(timers()).toBe(before)
})

test('over node:http the connection of a stream serves again', async () => {
  const transport = nodeTransport()
  onTestFinished(() => transport.close?.())
  const started = await server((request, response) => void request.resume().on('end', () => response.end()))
  for (const size of [3 * MiB + 1, 10, 70_000]) {
    await collect((await put(started.url, bodyOf(size), transport)).body)
  }
  expect(started.connections).toBe(1)
})
