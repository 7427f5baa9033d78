import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import { createServer as createSecureServer } from 'node:tls'
import { onTestFinished } from 'vitest'
import { SERVER } from './certificates.ts'

/** How a test's proxy behaves. */
export interface ProxyScript {
  /** `user:password` that it wants. */
  readonly login?: string
  /** The status line of its answer to everything; a challenge follows it. */
  readonly refusal?: string
  /** It is spoken to with TLS, with the certificate of the test's authority. */
  readonly tls?: boolean
  /** Accepts connections and says nothing. */
  readonly stalls?: boolean
}

/** A running proxy: CONNECT, and plain requests in full. Whatever name it is asked for, it connects to loopback. */
export interface TestProxy {
  readonly host: string
  /** First lines of the requests. */
  readonly asked: string[]
  readonly sockets: Set<Socket>
}

export async function testProxy(script: ProxyScript = {}): Promise<TestProxy> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const create = script.tls ? createSecureServer.bind(undefined, SERVER) : createServer
  const server = create((client: Socket) => {
    sockets.add(client)
    client.on('error', () => {})
    client.on('close', () => sockets.delete(client))
    if (script.stalls) return void client.resume()
    client.once('data', (head) => {
      const text = head.toString('latin1')
      const [line = ''] = text.split('\r\n', 1)
      asked.push(line)
      const login = /^proxy-authorization: basic (.*)$/im.exec(text)?.[1] ?? ''
      if (script.refusal) return client.end(answer(script.refusal))
      if (script.login && atob(login) !== script.login)
        return client.end(answer('407 Authentication Required'))
      const [method, target = ''] = line.split(' ')
      const { port } = new URL(method === 'CONNECT' ? `http://${target}` : target)
      const upstream = connect(Number(port) || 80, '127.0.0.1')
      upstream.on('error', () => client.destroy())
      client.on('close', () => upstream.destroy())
      if (method === 'CONNECT') client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      else upstream.write(text.replace(/ http:\/\/[^/]+/, ' '), 'latin1')
      client.pipe(upstream).pipe(client)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked, sockets }
}

/** With a challenge that would be worth answering, if it were the registry's. */
function answer(status: string): string {
  const challenge = 'WWW-Authenticate: Basic realm="give me"'
  return `HTTP/1.1 ${status}\r\n${challenge}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`
}
