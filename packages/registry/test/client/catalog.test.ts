import { expect, test } from 'vitest'
import { openRegistry } from '../../src/index.ts'
import { scriptedServer } from '../support/server.ts'

async function listOf<T>(list: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const each of list) items.push(each)
  return items
}

test('repositories page after page, with the scope of the catalog', async () => {
  const scopes: (string | null)[] = []
  const server = await scriptedServer(({ path, headers }, response) => {
    const url = new URL(path, 'http://registry')
    if (url.pathname === '/token') {
      scopes.push(url.searchParams.get('scope'))
      return void response.end('{"token":"token-of-tests"}')
    }
    if (!headers.authorization) {
      const challenge = `Bearer realm="http://${headers.host}/token",service="s"`
      return void response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
    }
    const last = url.searchParams.get('last')
    if (!last) response.setHeader('Link', '</v2/_catalog?n=1000&last=b>; rel="next"')
    response.end(JSON.stringify({ repositories: last ? ['c/d_e'] : ['a', 'b', '../x', 7] }))
  })
  expect(await listOf(openRegistry().catalog(server.host))).toEqual(['a', 'b', 'c/d_e'])
  expect(scopes).toEqual(['registry:catalog:*'])
})

test.each(['', 'a/b', 'quay.io/x', 'host:port:', '*'])('%j is not a host', (host) => {
  expect(() => openRegistry().catalog(host)).toThrow(expect.objectContaining({ code: 'REFERENCE_INVALID' }))
})

test('a registry that refuses', async () => {
  const server = await scriptedServer((_, response) => void response.writeHead(404).end())
  await expect(listOf(openRegistry().catalog(server.host))).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
