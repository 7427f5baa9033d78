import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createTestRegistry } from '../../src/testing/index.ts'
import { ask, errorOf, putBlob } from '../support/asking.ts'
import { digestOf } from '../support/server.ts'

const CONTENT = 'hello, registry'
const DIGEST = digestOf(CONTENT)
const location = (response: Response): string => {
  const url = new URL(response.headers.get('location') ?? '', 'http://registry.test')
  return url.pathname + url.search
}
const chunk = (start: number, text: string) => ({
  headers: { 'Content-Range': `${start}-${start + text.length - 1}` },
  body: text,
})

test('in one request, in two, and in chunks', async () => {
  const registry = createTestRegistry()
  await putBlob(registry, CONTENT)
  expect(await (await ask(registry, `GET blobs/${DIGEST}`)).text()).toBe(CONTENT)

  const second = await ask(registry, 'POST /v2/lab/second/blobs/uploads/')
  expect(second.status).toBe(202)
  expect(second.headers.get('range')).toBe('0-0')
  const put = await ask(registry, `PUT ${location(second)}&digest=${DIGEST}`, { body: CONTENT })
  expect([put.status, put.headers.get('docker-content-digest')]).toEqual([201, DIGEST])
  expect(location(put)).toBe(`/v2/lab/second/blobs/${DIGEST}`)

  const third = await ask(registry, 'POST /v2/lab/third/blobs/uploads/')
  const one = await ask(registry, `PATCH ${location(third)}`, chunk(0, CONTENT.slice(0, 5)))
  expect([one.status, one.headers.get('range')]).toEqual([202, '0-4'])
  const two = await ask(registry, `PATCH ${location(one)}`, { body: CONTENT.slice(5, 9) })
  expect([two.status, two.headers.get('range')]).toEqual([202, '0-8'])
  const status = await ask(registry, `GET ${location(two)}`)
  expect([status.status, status.headers.get('range')]).toEqual([204, '0-8'])
  const end = await ask(registry, `PUT ${location(two)}&digest=${DIGEST}`, chunk(9, CONTENT.slice(9)))
  expect(end.status).toBe(201)
  expect(await (await ask(registry, `GET /v2/lab/third/blobs/${DIGEST}`)).text()).toBe(CONTENT)
})

test('a chunk out of order is told where it should have begun', async () => {
  const registry = createTestRegistry()
  const start = await ask(registry, 'POST blobs/uploads/')
  const first = await ask(registry, `PATCH ${location(start)}`, chunk(0, CONTENT.slice(0, 5)))
  const wrong = await ask(registry, `PATCH ${location(first)}`, chunk(7, 'xx'))
  expect([wrong.status, wrong.headers.get('range'), location(wrong)]).toEqual([416, '0-4', location(first)])
  const wrongEnd = await ask(registry, `PUT ${location(first)}&digest=${DIGEST}`, chunk(7, 'xx'))
  expect(wrongEnd.status).toBe(416)
  const lies = await ask(registry, `PATCH ${location(first)}`, {
    headers: { 'Content-Range': '5-9' },
    body: 'x',
  })
  expect(await errorOf(lies)).toEqual([400, 'SIZE_INVALID'])
  const end = await ask(registry, `PUT ${location(first)}&digest=${DIGEST}`, { body: CONTENT.slice(5) })
  expect(end.status).toBe(201)
})

test('an address that is no longer the latest, an upload that was cancelled', async () => {
  const registry = createTestRegistry()
  const start = await ask(registry, 'POST blobs/uploads/')
  const first = await ask(registry, `PATCH ${location(start)}`, { body: 'abc' })
  expect(await errorOf(await ask(registry, `GET ${location(start)}`))).toEqual([404, 'BLOB_UPLOAD_INVALID'])
  expect((await ask(registry, `DELETE ${location(first)}`)).status).toBe(204)
  expect(await errorOf(await ask(registry, `GET ${location(first)}`))).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
})

test('chunks below the minimum', async () => {
  const registry = createTestRegistry({ minChunkLength: 10 })
  const start = await ask(registry, 'POST blobs/uploads/')
  expect(start.headers.get('oci-chunk-min-length')).toBe('10')
  const short = await ask(registry, `PATCH ${location(start)}`, chunk(0, 'hello'))
  expect(short.status).toBe(202)
  const more = await ask(registry, `PATCH ${location(short)}`, chunk(5, CONTENT.slice(5)))
  expect(await errorOf(more)).toEqual([400, 'SIZE_INVALID'])
})

test.each([
  ['digest=sha256:abc', 'DIGEST_INVALID'],
  [`digest=sha256:${'0'.repeat(64)}`, 'DIGEST_INVALID'],
  ['digest-algorithm=md5', 'DIGEST_INVALID'],
])('refused: %s', async (query, code) => {
  const response = await ask(createTestRegistry(), `POST blobs/uploads/?${query}`, { body: CONTENT })
  expect(await errorOf(response)).toEqual([400, code])
})

test('sha512', async () => {
  const registry = createTestRegistry()
  const digest = `sha512:${createHash('sha512').update(CONTENT).digest('hex')}`
  const start = await ask(registry, 'POST blobs/uploads/?digest-algorithm=sha512')
  const put = await ask(registry, `PUT ${location(start)}&digest=${digest}`, { body: CONTENT })
  expect([put.status, put.headers.get('docker-content-digest')]).toEqual([201, digest])
  expect((await ask(registry, `HEAD blobs/${digest}`)).headers.get('content-length')).toBe('15')
})

test.each([
  ['named', true, `mount=${DIGEST}&from=lab/image`, 201],
  ['of another', true, `mount=${DIGEST}&from=lab/other`, 202],
  ['anonymous', 'anonymous' as const, `mount=${DIGEST}`, 201],
  ['anonymous, not allowed', true, `mount=${DIGEST}`, 202],
  ['switched off', false, `mount=${DIGEST}&from=lab/image`, 202],
  ['missing', true, `mount=${digestOf('x')}&from=lab/image`, 202],
])('a mount: %s', async (_, mount, query, status) => {
  const registry = createTestRegistry({ mount })
  await putBlob(registry, CONTENT)
  const response = await ask(registry, `POST /v2/lab/mounted/blobs/uploads/?${query}`)
  expect(response.status).toBe(status)
  const there = await ask(registry, `HEAD /v2/lab/mounted/blobs/${DIGEST}`)
  expect(there.status).toBe(status === 201 ? 200 : 404)
})

test.each([
  ['spoil', [404, 'BLOB_UPLOAD_UNKNOWN'], null],
  ['forget', [204, undefined], '0-4'],
  ['keep', [404, 'BLOB_UPLOAD_INVALID'], null],
] as const)('a chunk that breaks: %s', async (brokenChunk, expected, range) => {
  const registry = createTestRegistry({ brokenChunk })
  const start = await ask(registry, 'POST blobs/uploads/')
  const first = await ask(registry, `PATCH ${location(start)}`, chunk(0, CONTENT.slice(0, 5)))
  registry.addFault({ match: { method: 'PATCH' }, kind: 'cut', at: 3, side: 'request' })
  const broken = await ask(registry, `PATCH ${location(first)}`, chunk(5, CONTENT.slice(5)))
  expect(broken.type).toBe('error')
  const status = await ask(registry, `GET ${location(first)}`)
  expect(status.headers.get('range')).toBe(range)
  expect(await errorOf(status)).toEqual(expected)
  if (brokenChunk !== 'keep') return
  const kept = await ask(registry, `GET ${location(first).replace('_state=5', '_state=8')}`)
  expect(kept.headers.get('range')).toBe('0-7')
})

test('Location without a host', async () => {
  const registry = createTestRegistry({ relativeLocations: true })
  const start = await ask(registry, 'POST blobs/uploads/')
  expect(start.headers.get('location')).toMatch(/^\/v2\/lab\/image\/blobs\/uploads\/upload-\d+\?_state=0$/)
})
