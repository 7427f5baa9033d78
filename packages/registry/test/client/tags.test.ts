import { expect, test } from 'vitest'
import { openTestStore } from '../support/client.ts'
import { type ScriptedServer, scriptedServer } from '../support/server.ts'

async function tagsOf({ host }: ScriptedServer): Promise<string[]> {
  const tags: string[] = []
  for await (const tag of openTestStore(host).store.tags()) tags.push(tag)
  return tags
}

test.each([
  ['relative', ''],
  ['absolute', 'http://host'],
])('pages are followed by a link that is %s', async (_, prefix) => {
  const server = await scriptedServer(({ path, headers }, response) => {
    const last = new URL(path, 'http://x').searchParams.get('last')
    const base = prefix.replace('host', headers.host ?? '')
    if (!last) response.setHeader('Link', `<${base}/v2/lab/image/tags/list?n=2&last=b>; rel="next"`)
    response.end(JSON.stringify({ name: 'lab/image', tags: last ? ['c'] : ['a', 'b'] }))
  })
  expect(await tagsOf(server)).toEqual(['a', 'b', 'c'])
  expect(server.seen[0]?.path).toBe('/v2/lab/image/tags/list?n=1000')
})

test('a repository without tags', async () => {
  const server = await scriptedServer((_, response) => void response.end('{"name":"lab/image","tags":null}'))
  expect(await tagsOf(server)).toEqual([])
})

test('what is not a tag is left out', async () => {
  const server = await scriptedServer(
    (_, response) => void response.end('{"tags":["ok","../x",7,"\\u001b[2J"]}'),
  )
  expect(await tagsOf(server)).toEqual(['ok'])
})

test.each([
  ['another document', '{"repositories":[]}'],
  ['no JSON', '<html>'],
])('%s is an error', async (_, body) => {
  const server = await scriptedServer((_, response) => void response.end(body))
  await expect(tagsOf(server)).rejects.toMatchObject({ code: 'PROTOCOL' })
})

test('a link in a circle ends', async () => {
  const server = await scriptedServer(({ path }, response) => {
    response.writeHead(200, { Link: `<${path}>; rel="next"` }).end('{"tags":["a"]}')
  })
  await expect(tagsOf(server)).rejects.toMatchObject({ code: 'PROTOCOL' })
})

test('a link to another host is not followed', async () => {
  const other = await scriptedServer((_, response) => void response.end('{"tags":["b"]}'))
  const server = await scriptedServer((_, response) => {
    response.writeHead(200, { Link: `<${other.url}/v2/>; rel="next"` }).end('{"tags":["a"]}')
  })
  await expect(tagsOf(server)).rejects.toMatchObject({ code: 'POLICY' })
  expect(other.seen).toEqual([])
})
