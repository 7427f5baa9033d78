import * as http from 'node:http'
import * as https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TestRegistry } from '../testing/index.ts'

/** Options of {@link serveTestRegistry}. */
export interface ServeTestRegistryOptions {
  /** PEM texts. With `ca`, clients must show a certificate that it signed. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string }
  /** @defaultValue one that is free */
  readonly port?: number
}

/** A test registry that listens. */
export interface ServedTestRegistry {
  /** For references: `127.0.0.1:41237`. */
  readonly host: string
  readonly url: string
  /** Ends all connections, also those that a fault keeps waiting. */
  close(): Promise<void>
}

/** Milliseconds before a reset: it would overtake what was sent. */
const FLUSH = 20

/**
 * Serves a test registry on the loopback interface. What a fault breaks is a real connection here: a cut is
 * a reset (over TLS, or with `how: 'end'`, an end), a stall a socket that stays open and silent.
 */
export async function serveTestRegistry(
  registry: TestRegistry,
  options: ServeTestRegistryOptions = {},
): Promise<ServedTestRegistry> {
  const { tls, port = 0 } = options
  const scheme = tls ? 'https' : 'http'
  const listener = (message: http.IncomingMessage, response: http.ServerResponse): void => {
    const origin = `${scheme}://${message.headers.host ?? 'localhost'}`
    serve(registry, origin, message, response).catch(() => response.destroy())
  }
  const server = tls
    ? https.createServer(
        { ...tls, ...(tls.ca !== undefined && { requestCert: true, rejectUnauthorized: true }) },
        listener,
      )
    : http.createServer(listener)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    host,
    url: `${scheme}://${host}`,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function serve(
  registry: TestRegistry,
  origin: string,
  message: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { method = 'GET', socket } = message
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers)) headers.set(name, String(value))
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const chunks: AsyncIterator<Uint8Array> = message[Symbol.asyncIterator]()
  const request = new Request(new URL(message.url ?? '/', origin), {
    method,
    headers,
    ...(hasBody && { body: streamOf(chunks), duplex: 'half' }),
  } as RequestInit)
  const answer = await registry.handle(request)
  if (answer.type === 'error') return reset(socket)
  // What nobody read must be out of the way before the connection can serve again.
  if (hasBody) drain(chunks).catch(() => socket.destroy())
  const lines: string[] = []
  answer.headers.forEach((value, name) => void lines.push(name, value))
  response.writeHead(answer.status, lines)
  if (!answer.body) return void response.end()
  // A body may take its time, or for ever; that there is an answer must show before.
  response.flushHeaders()
  await send(answer.body, response, socket)
}

function streamOf(chunks: AsyncIterator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
    },
    { highWaterMark: 0 },
  )
}

async function drain(chunks: AsyncIterator<Uint8Array>): Promise<void> {
  while (!(await chunks.next()).done);
}

async function send(
  body: ReadableStream<Uint8Array>,
  response: http.ServerResponse,
  socket: Socket,
): Promise<void> {
  const reader = body.getReader()
  let goOn = (): void => {}
  response.on('drain', () => goOn())
  response.once('close', () => {
    reader.cancel().catch(() => {})
    goOn()
  })
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      if (response.write(value) || response.destroyed) continue
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
    }
  } catch (error) {
    await new Promise((resolve) => setTimeout(resolve, FLUSH))
    if ((error as { code?: unknown }).code === 'ECONNRESET') reset(socket)
    else socket.end()
    return
  }
  response.end()
}

function reset(socket: Socket): void {
  // Of TLS there is no such thing.
  if ('encrypted' in socket) socket.destroy()
  else socket.resetAndDestroy()
}
