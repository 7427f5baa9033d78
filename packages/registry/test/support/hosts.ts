import type { Transport } from '../../src/index.ts'
import { nodeTransport } from '../../src/node/index.ts'
import type { ScriptedServer } from './server.ts'

/**
 * Real names, answered by the servers of a test: whoever asks `https://ghcr.io` gets the answer of the server
 * that stands for it. The address is one out in the world, as that of the real host would be.
 */
export function standIns(servers: Readonly<Record<string, ScriptedServer>>): Transport {
  const transport = nodeTransport()
  return {
    ...transport,
    async send(request, options) {
      const server = servers[request.url.host]
      if (!server) throw new Error(`nobody stands in for ${request.url.host}`)
      const url = new URL(server.url)
      url.pathname = request.url.pathname
      url.search = request.url.search
      const headers = { ...request.headers, Host: request.url.host }
      return { ...(await transport.send({ ...request, url, headers }, options)), peer: '203.0.113.7' }
    },
  }
}
