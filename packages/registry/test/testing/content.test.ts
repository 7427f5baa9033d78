import { MEDIA_TYPE } from '@bootable/oci'
import { expect, test } from 'vitest'
import { createTestRegistry, type TestRegistry } from '../../src/testing/index.ts'
import { ask, errorOf, nextOf, putBlob } from '../support/asking.ts'
import { CONFIG, describeBlob, digestOf, MANIFEST } from '../support/server.ts'

const CONTENT = '0123456789'
const TYPE = { 'Content-Type': MEDIA_TYPE.manifest }

async function filled(registry: TestRegistry = createTestRegistry()): Promise<TestRegistry> {
  await putBlob(registry, CONFIG)
  await ask(registry, 'PUT manifests/one', { headers: TYPE, body: MANIFEST })
  return registry
}

/** An artifact that says what it is about. */
function artifact(subject: string, artifactType: string, extra: object = {}): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    artifactType,
    config: describeBlob(CONFIG, MEDIA_TYPE.config),
    layers: [],
    subject: describeBlob(subject, MEDIA_TYPE.manifest),
    ...extra,
  })
}

test.each([
  ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
  ['bytes=5-', 206, '56789', 'bytes 5-9/10'],
  ['bytes=-3', 206, '789', 'bytes 7-9/10'],
  ['bytes=5-100', 206, '56789', 'bytes 5-9/10'],
  ['bytes=10-', 416, '', 'bytes */10'],
  ['bytes=-0', 416, '', 'bytes */10'],
  ['bytes=4-2', 200, CONTENT, null],
  ['bytes=0-1,3-4', 200, CONTENT, null],
  ['lines=1-2', 200, CONTENT, null],
])('a blob by %s', async (range, status, text, contentRange) => {
  const registry = createTestRegistry()
  const digest = await putBlob(registry, CONTENT)
  const response = await ask(registry, `GET blobs/${digest}`, { headers: { Range: range } })
  expect([response.status, response.headers.get('content-range')]).toEqual([status, contentRange])
  expect(response.headers.get('content-length')).toBe(String(text.length))
  expect(await response.text()).toBe(text)
})

test('a manifest by tag and digest, with conditions', async () => {
  const registry = await filled()
  const digest = digestOf(MANIFEST)
  for (const reference of ['one', digest]) {
    const response = await ask(registry, `GET manifests/${reference}`)
    expect(await response.text()).toBe(MANIFEST)
    expect(response.headers.get('content-type')).toBe(MEDIA_TYPE.manifest)
    expect(response.headers.get('docker-content-digest')).toBe(digest)
  }
  const head = await ask(registry, 'HEAD manifests/one')
  expect([head.headers.get('content-length'), await head.text()]).toEqual([String(MANIFEST.length), ''])
  const etag = head.headers.get('etag') ?? ''
  const conditional = async (headers: Record<string, string>): Promise<number> =>
    (await ask(registry, 'PUT manifests/one', { headers: { ...TYPE, ...headers }, body: MANIFEST })).status
  expect(await conditional({ 'If-Match': '"sha256:other"' })).toBe(412)
  expect(await conditional({ 'If-Match': etag })).toBe(201)
  expect(await conditional({ 'If-None-Match': '*' })).toBe(412)
  const same = await ask(registry, 'GET manifests/one', { headers: { 'If-None-Match': etag } })
  expect(same.status).toBe(304)
  const other = await ask(registry, 'GET manifests/one', { headers: { Accept: MEDIA_TYPE.index } })
  expect(await errorOf(other)).toEqual([404, 'MANIFEST_UNKNOWN'])
})

test.each([
  ['one', TYPE, '{', 400, 'MANIFEST_INVALID'],
  ['one', TYPE, '{"schemaVersion":2}', 400, 'MANIFEST_INVALID'],
  ['one', {}, MANIFEST, 400, 'MANIFEST_INVALID'],
  ['one', { 'Content-Type': MEDIA_TYPE.index }, MANIFEST, 400, 'MANIFEST_INVALID'],
  ['one', TYPE, MANIFEST.replace('"layers":[]', '"layers":[],"manifests":[]'), 400, 'MANIFEST_INVALID'],
  ['one', TYPE, MANIFEST.replace(/sha256:\w+/, 'sha256:x'), 400, 'MANIFEST_INVALID'],
  ['one', TYPE, MANIFEST.replace(/sha256:\w+/, digestOf('x')), 404, 'MANIFEST_BLOB_UNKNOWN'],
  [digestOf('x'), TYPE, MANIFEST, 400, 'DIGEST_INVALID'],
  ['sha256:x', TYPE, MANIFEST, 400, 'DIGEST_INVALID'],
  ['.bad', TYPE, MANIFEST, 400, 'MANIFEST_INVALID'],
  ['one', TYPE, `${MANIFEST}${' '.repeat(4 * 1024 * 1024)}`, 413, 'SIZE_INVALID'],
])('a manifest that is refused: %s', async (reference, headers, body, status, code) => {
  const response = await ask(await filled(), `PUT manifests/${reference}`, { headers, body })
  expect(await errorOf(response)).toEqual([status, code])
})

test('an index wants its children; layers that may not be distributed are not wanted', async () => {
  const registry = await filled()
  const index = (digest: string): string =>
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.index,
      manifests: [{ mediaType: MEDIA_TYPE.manifest, digest, size: MANIFEST.length }],
    })
  const put = async (digest: string): Promise<number> => {
    const headers = { 'Content-Type': MEDIA_TYPE.index }
    return (await ask(registry, 'PUT manifests/all', { headers, body: index(digest) })).status
  }
  expect(await put(digestOf('x'))).toBe(404)
  expect(await put(digestOf(MANIFEST))).toBe(201)
  const foreign = describeBlob('x', 'application/vnd.oci.image.layer.nondistributable.v1.tar')
  const body = MANIFEST.replace('"layers":[]', `"layers":[${JSON.stringify(foreign)}]`)
  expect((await ask(registry, 'PUT manifests/foreign', { headers: TYPE, body })).status).toBe(201)
})

test('several tags at once', async () => {
  const registry = await filled()
  const line = `PUT manifests/${digestOf(MANIFEST)}?tag=two&tag=three`
  const response = await ask(registry, line, { headers: TYPE, body: MANIFEST })
  expect([response.status, response.headers.get('oci-tag')]).toEqual([201, 'two, three'])
  const { tags } = await (await ask(registry, 'GET tags/list')).json()
  expect(tags).toEqual(['one', 'three', 'two'])
})

test('lists come in pages', async () => {
  const registry = await filled(createTestRegistry({ pageSize: 2 }))
  for (const tag of ['b', 'a', 'c', 'd']) {
    await ask(registry, `PUT manifests/${tag}`, { headers: TYPE, body: MANIFEST })
  }
  const pages: string[][] = []
  for (let path: string | undefined = '/v2/lab/image/tags/list?n=3'; path; ) {
    const response = await ask(registry, `GET ${path}`)
    pages.push((await response.json()).tags)
    path = nextOf(response)?.replace('http://registry.test', '')
  }
  expect(pages).toEqual([['a', 'b'], ['c', 'd'], ['one']])
  expect((await (await ask(registry, 'GET tags/list?n=0')).json()).tags).toEqual([])
  expect((await (await ask(registry, 'GET tags/list?last=c')).json()).tags).toEqual(['d', 'one'])
  await putBlob(registry, 'x', 'lab/other')
  const catalog = await ask(registry, 'GET /v2/_catalog?n=1')
  expect((await catalog.json()).repositories).toEqual(['lab/image'])
  expect(nextOf(catalog)).toBe('http://registry.test/v2/_catalog?n=1&last=lab%2Fimage')
})

test('referrers, filtered and in pages', async () => {
  const registry = await filled(createTestRegistry({ pageSize: 1 }))
  const subject = digestOf(MANIFEST)
  const annotations = { made: 'by hand' }
  const documents = [
    artifact(MANIFEST, 'application/x'),
    artifact(MANIFEST, 'application/y', { annotations }),
  ]
  for (const body of [...documents, artifact('somebody else', 'application/x')]) {
    const response = await ask(registry, `PUT manifests/${digestOf(body)}`, { headers: TYPE, body })
    expect(response.status).toBe(201)
    expect(response.headers.get('oci-subject')).toBe(JSON.parse(body).subject.digest)
  }
  const found: { digest: string; artifactType: string; annotations?: object }[] = []
  for (let path: string | undefined = `/v2/lab/image/referrers/${subject}`; path; ) {
    const response = await ask(registry, `GET ${path}`)
    expect(response.headers.get('content-type')).toBe(MEDIA_TYPE.index)
    expect(response.headers.get('oci-filters-applied')).toBeNull()
    found.push(...(await response.json()).manifests)
    path = nextOf(response)?.replace('http://registry.test', '')
  }
  expect(found.map(({ digest }) => digest).sort()).toEqual(documents.map(digestOf).sort())
  expect(found.find((each) => each.artifactType === 'application/y')?.annotations).toEqual(annotations)

  const filtered = await ask(registry, `GET referrers/${subject}?artifactType=application/y`)
  expect(filtered.headers.get('oci-filters-applied')).toBe('artifactType')
  expect((await filtered.json()).manifests).toMatchObject([{ artifactType: 'application/y' }])
  const none = await ask(registry, `GET referrers/${digestOf('nobody')}`)
  expect([none.status, (await none.json()).manifests]).toEqual([200, []])
})

test('referrers switched off', async () => {
  const registry = await filled(createTestRegistry({ referrers: false }))
  expect((await ask(registry, `GET referrers/${digestOf(MANIFEST)}`)).status).toBe(404)
  const body = artifact(MANIFEST, 'application/x')
  const response = await ask(registry, 'PUT manifests/x', { headers: TYPE, body })
  expect([response.status, response.headers.get('oci-subject')]).toEqual([201, null])
})

test('deletion, whole and in part', async () => {
  const registry = await filled()
  await ask(registry, 'PUT manifests/two', { headers: TYPE, body: MANIFEST })
  expect((await ask(registry, 'DELETE manifests/two')).status).toBe(202)
  expect((await ask(registry, 'HEAD manifests/two')).status).toBe(404)
  expect((await ask(registry, 'HEAD manifests/one')).status).toBe(200)
  expect((await ask(registry, `DELETE manifests/${digestOf(MANIFEST)}`)).status).toBe(202)
  expect((await ask(registry, 'HEAD manifests/one')).status).toBe(404)
  expect((await ask(registry, `DELETE blobs/${digestOf(CONFIG)}`)).status).toBe(202)
  expect(await errorOf(await ask(registry, `DELETE blobs/${digestOf(CONFIG)}`))).toEqual([
    404,
    'BLOB_UNKNOWN',
  ])

  const partly = await filled(createTestRegistry({ deletion: ['manifests'] }))
  expect(await errorOf(await ask(partly, 'DELETE manifests/one'))).toEqual([405, 'UNSUPPORTED'])
  expect(await errorOf(await ask(partly, `DELETE blobs/${digestOf(CONFIG)}`))).toEqual([405, 'UNSUPPORTED'])
  expect((await ask(partly, `DELETE manifests/${digestOf(MANIFEST)}`)).status).toBe(202)
})

test('what there is not', async () => {
  const registry = createTestRegistry()
  expect((await ask(registry, 'GET /v2/')).status).toBe(200)
  expect(await errorOf(await ask(registry, 'GET tags/list'))).toEqual([404, 'NAME_UNKNOWN'])
  expect(await errorOf(await ask(registry, 'GET manifests/one'))).toEqual([404, 'MANIFEST_UNKNOWN'])
  expect(await errorOf(await ask(registry, `GET blobs/${digestOf('x')}`))).toEqual([404, 'BLOB_UNKNOWN'])
  expect(await errorOf(await ask(registry, 'GET blobs/sha256:x'))).toEqual([400, 'DIGEST_INVALID'])
  expect(await errorOf(await ask(registry, 'GET /v2/Lab/tags/list'))).toEqual([400, 'NAME_INVALID'])
  expect(await errorOf(await ask(registry, 'POST tags/list'))).toEqual([405, 'UNSUPPORTED'])
  expect((await ask(registry, 'GET /elsewhere')).status).toBe(404)
})

test('warnings, a quota, and pages of other origins', async () => {
  const registry = await filled(
    createTestRegistry({ warnings: ['this moves'], rateLimit: { limit: 1, window: 60 }, cors: true }),
  )
  const first = await ask(registry, 'GET manifests/one')
  expect(first.headers.get('warning')).toBe('299 - "this moves"')
  expect(first.headers.get('ratelimit-limit')).toBe('1;w=60')
  expect(first.headers.get('ratelimit-remaining')).toBe('0;w=60')
  expect(first.headers.get('access-control-allow-origin')).toBe('*')
  expect(first.headers.get('access-control-expose-headers')).toContain('Docker-Content-Digest')
  const second = await ask(registry, 'GET manifests/one')
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(50)
  expect(await errorOf(second)).toEqual([429, 'TOOMANYREQUESTS'])
  expect((await ask(registry, 'HEAD manifests/one')).status).toBe(200)
  const preflight = await ask(registry, 'OPTIONS manifests/one', {
    headers: { 'Access-Control-Request-Headers': 'authorization,range' },
  })
  expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
    204,
    'authorization,range',
  ])
})
