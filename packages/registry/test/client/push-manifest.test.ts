import { utf8 } from '@bootable/bytes'
import { type Descriptor, MEDIA_TYPE, referrersTag } from '@bootable/oci'
import { describe, expect, test } from 'vitest'
import { openTestStore } from '../support/client.ts'
import { CONFIG, describeBlob, digestOf, MANIFEST, type Seen } from '../support/server.ts'
import { type Intercept, type UploadServer, uploadServer } from '../support/upload.ts'

const IMAGE: Descriptor = describeBlob(MANIFEST, MEDIA_TYPE.manifest)

/** An artifact that refers to the image. */
function artifact(name: string, more: object = {}): { text: string; descriptor: Descriptor } {
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    artifactType: 'application/vnd.sig',
    config: describeBlob('{}', MEDIA_TYPE.empty),
    layers: [],
    subject: IMAGE,
    annotations: { name },
    ...more,
  })
  return { text, descriptor: describeBlob(text, MEDIA_TYPE.manifest) }
}

const put = (
  server: UploadServer,
  text: string,
  reference?: string | readonly string[],
): Promise<Descriptor> =>
  openTestStore(server.host).store.putManifest(utf8(text), {
    mediaType: MEDIA_TYPE.manifest,
    ...(reference !== undefined && { reference }),
  })

async function listOf<T>(list: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const each of list) items.push(each)
  return items
}

const paths = ({ seen }: UploadServer): string[] =>
  seen.map(({ method, path }) => `${method} ${path.replace('/v2/lab/image/', '')}`)

describe('a manifest', () => {
  test('goes byte for byte, by its digest and by each of its names', async () => {
    const server = await uploadServer()
    const spaced = MANIFEST.replace('{', '{\n ')
    const { store } = openTestStore(server.host)
    const mediaType = MEDIA_TYPE.manifest
    const { digest } = await store.putManifest(utf8(spaced), { mediaType })
    expect(digest).toBe(digestOf(spaced))
    await store.putManifest(utf8(spaced), { mediaType, reference: ['one', 'two'] })
    expect(paths(server)).toEqual([`PUT manifests/${digest}`, 'PUT manifests/one', 'PUT manifests/two'])
    for (const { headers, body } of server.seen) {
      expect(headers['content-type']).toBe(MEDIA_TYPE.manifest)
      expect(body).toBe(spaced)
    }
  })

  test.each([
    ['../x', 'REFERENCE_INVALID'],
    [`sha256:${'0'.repeat(64)}`, 'DIGEST_MISMATCH'],
  ])('is not put under the name %s', async (reference, code) => {
    const server = await uploadServer()
    await expect(put(server, MANIFEST, reference)).rejects.toMatchObject({ code })
    expect(server.seen).toEqual([])
  })

  test('is put again after a passing failure', async () => {
    let failed = false
    const server = await uploadServer(({ method }, response) => {
      if (method !== 'PUT' || failed) return false
      failed = true
      response.writeHead(502).end()
      return true
    })
    await put(server, MANIFEST, 'one')
    expect(paths(server)).toEqual(['PUT manifests/one', 'PUT manifests/one'])
  })
})

/** A registry with the referrers API, as far as it is asked here. */
const withApi =
  (list: () => readonly object[], headers: Record<string, string> = {}): Intercept =>
  ({ method, path, body }, response) => {
    if (path.includes('/referrers/')) {
      response.writeHead(200, { 'Content-Type': MEDIA_TYPE.index, ...headers })
      response.end(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: list() }))
      return true
    }
    if (method !== 'PUT' || !body.includes('"subject"')) return false
    response.writeHead(201, { 'OCI-Subject': IMAGE.digest }).end()
    return true
  }

const TAG = referrersTag(IMAGE.digest)

describe('a manifest with a subject', () => {
  test('is listed by a registry that has the referrers API', async () => {
    const server = await uploadServer(withApi(() => []))
    await put(server, artifact('a').text)
    expect(server.manifests.has(TAG)).toBe(false)
  })

  // distribution-spec, "Pushing Manifests with Subject": annotations and artifactType have to be copied.
  test('docker-registry: is listed under the referrers tag by the client', async () => {
    const server = await uploadServer()
    const [a, b] = [artifact('a'), artifact('b', { artifactType: undefined })]
    await put(server, a.text)
    await put(server, b.text)
    const list = server.manifests.get(TAG)
    expect(list?.type).toBe(MEDIA_TYPE.index)
    expect(JSON.parse(list?.content ?? '')).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.index,
      manifests: [
        { ...a.descriptor, artifactType: 'application/vnd.sig', annotations: { name: 'a' } },
        // The media type of the configuration stands in.
        { ...b.descriptor, artifactType: MEDIA_TYPE.empty, annotations: { name: 'b' } },
      ],
    })
    const before = list?.content
    await put(server, a.text)
    expect(server.manifests.get(TAG)?.content).toBe(before)
  })

  test('ECR: a registry that says OCI-Subject and has no API is not believed', async () => {
    const server = await uploadServer(({ method, path, body }, response, { manifests }) => {
      if (method !== 'PUT' || !body.includes('"subject"')) return false
      const entry = { type: MEDIA_TYPE.manifest, content: body }
      manifests.set(path.split('/').at(-1) ?? '', entry)
      response.writeHead(201, { 'OCI-Subject': IMAGE.digest }).end()
      return true
    })
    await put(server, artifact('a').text)
    expect(server.manifests.has(TAG)).toBe(true)
  })

  test('a server that says 200 to every address has no API either', async () => {
    const server = await uploadServer(({ path }, response) => {
      if (path.includes('/referrers/')) response.end('<html>welcome</html>')
      return path.includes('/referrers/')
    })
    await put(server, artifact('a').text)
    const { store } = openTestStore(server.host)
    expect(await listOf(store.referrers(IMAGE))).toMatchObject([{ digest: artifact('a').descriptor.digest }])
  })

  test('many at once are all listed', async () => {
    const server = await uploadServer()
    const { store } = openTestStore(server.host)
    const names = Array.from({ length: 8 }, (_, index) => `n${index}`)
    const mediaType = MEDIA_TYPE.manifest
    await Promise.all(names.map((name) => store.putManifest(utf8(artifact(name).text), { mediaType })))
    const listed = await listOf(store.referrers(IMAGE))
    expect(listed.map(({ annotations }) => annotations?.name).sort()).toEqual(names)
  })

  test('somebody else who changes the list meanwhile is not overwritten: If-Match', async () => {
    const other = artifact('other')
    let conflicts = 0
    const server = await uploadServer(({ method, path, headers }, response, { manifests }) => {
      if (method !== 'PUT' || !path.endsWith(TAG)) return false
      const current = manifests.get(TAG)
      if (!headers['if-match']) return false
      if (conflicts++ > 0) return headers['if-match'] !== `"${digestOf(current?.content ?? '')}"`
      // Between reading and writing another client was quicker.
      const list = JSON.parse(current?.content ?? '{}')
      list.manifests.push(other.descriptor)
      manifests.set(TAG, { type: MEDIA_TYPE.index, content: JSON.stringify(list) })
      response.writeHead(412).end()
      return true
    })
    server.manifests.set(other.descriptor.digest, { type: MEDIA_TYPE.manifest, content: other.text })
    await put(server, artifact('a').text)
    await put(server, artifact('b').text)
    const { manifests } = JSON.parse(server.manifests.get(TAG)?.content ?? '')
    expect(manifests.map(({ digest }: Descriptor) => digest)).toEqual(
      ['a', 'other', 'b'].map((name) => artifact(name).descriptor.digest),
    )
  })

  test('GitLab: the referrers tag that is the subject itself is no list', async () => {
    const server = await uploadServer()
    server.manifests.set(TAG, { type: MEDIA_TYPE.manifest, content: MANIFEST })
    const { store } = openTestStore(server.host)
    expect(await listOf(store.referrers(IMAGE))).toEqual([])
    await put(server, artifact('a').text)
    expect(await listOf(store.referrers(IMAGE))).toHaveLength(1)
  })

  test('an image that somebody has put under that tag is not overwritten', async () => {
    const server = await uploadServer()
    const content = MANIFEST.replace('{', '{ ')
    server.manifests.set(TAG, { type: MEDIA_TYPE.manifest, content })
    await expect(put(server, artifact('a').text)).rejects.toMatchObject({ code: 'PROTOCOL' })
    expect(server.manifests.get(TAG)?.content).toBe(content)
  })

  test('the tag of a sha512 subject is cut', async () => {
    const server = await uploadServer()
    const digest = `sha512:${'ab'.repeat(64)}`
    await put(server, artifact('a', { subject: { ...IMAGE, digest } }).text)
    expect(server.manifests.has(`sha512-${'ab'.repeat(32)}`)).toBe(true)
  })
})

describe('referrers', () => {
  const [a, b] = [artifact('a'), artifact('b')]
  const entryA = { ...a.descriptor, artifactType: 'application/vnd.sig' }
  const entryB = { ...b.descriptor, artifactType: 'application/vnd.sbom' }
  const wanted = { artifactType: 'application/vnd.sig' }

  test('are filtered by the client unless the registry says that it did', async () => {
    const asked: string[] = []
    for (const headers of [{}, { 'OCI-Filters-Applied': 'artifactType' }]) {
      const server = await uploadServer(withApi(() => [entryA, entryB], headers as Record<string, string>))
      const { store } = openTestStore(server.host)
      asked.push(String((await listOf(store.referrers(IMAGE, wanted))).length))
      expect(server.seen[0]?.path).toMatch(/\/referrers\/sha256:\w+\?artifactType=application%2Fvnd.sig$/)
    }
    expect(asked).toEqual(['1', '2'])
  })

  test('come page after page', async () => {
    const page = ({ path }: Seen): string => new URL(path, 'http://x').searchParams.get('page') ?? '1'
    const server = await uploadServer((request, response) => {
      const number = page(request)
      if (number === '1') response.setHeader('Link', `<${request.path}?page=2>; rel="next"`)
      response.writeHead(200, { 'Content-Type': MEDIA_TYPE.index })
      const manifests = number === '1' ? [entryA] : [entryB]
      response.end(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }))
      return true
    })
    const { store } = openTestStore(server.host)
    expect(await listOf(store.referrers(IMAGE))).toEqual([entryA, entryB])
  })

  test('a link to another origin is not followed', async () => {
    const server = await uploadServer((_, response) => {
      response.writeHead(200, {
        'Content-Type': MEDIA_TYPE.index,
        Link: '<http://127.0.0.1:1/v2/>; rel="next"',
      })
      response.end(JSON.stringify({ schemaVersion: 2, manifests: [] }))
      return true
    })
    const { store } = openTestStore(server.host)
    await expect(listOf(store.referrers(IMAGE))).rejects.toMatchObject({ code: 'POLICY' })
  })

  test('of the list under the tag only those are believed that refer to the image', async () => {
    const server = await uploadServer()
    const manifests = [entryA, { ...IMAGE, artifactType: 'application/vnd.sig' }, entryB]
    server.manifests.set(a.descriptor.digest, { type: MEDIA_TYPE.manifest, content: a.text })
    server.manifests.set(IMAGE.digest, { type: MEDIA_TYPE.manifest, content: MANIFEST })
    const content = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests })
    server.manifests.set(TAG, { type: MEDIA_TYPE.index, content })
    // The image refers to nothing, and the third is not there.
    const { store } = openTestStore(server.host)
    expect(await listOf(store.referrers(IMAGE))).toMatchObject([{ digest: a.descriptor.digest }])
  })
})

describe('deletion', () => {
  test('a manifest is no longer listed where it was listed by the client', async () => {
    const server = await uploadServer()
    const [a, b] = [artifact('a'), artifact('b')]
    await put(server, a.text)
    await put(server, b.text)
    const { store } = openTestStore(server.host)
    await store.delete(a.descriptor)
    expect(await listOf(store.referrers(IMAGE))).toMatchObject([{ digest: b.descriptor.digest }])
    await store.delete(b.descriptor.digest)
    expect(server.manifests.has(TAG)).toBe(false)
  })

  test('a tag, where the registry can', async () => {
    const server = await uploadServer(({ method, path }, response, { manifests }) => {
      if (method !== 'DELETE') return false
      response.writeHead(manifests.delete(path.split('/').at(-1) ?? '') ? 202 : 404).end()
      return true
    })
    await put(server, MANIFEST, ['one', 'two'])
    const { store } = openTestStore(server.host)
    await store.delete('one')
    expect([...server.manifests.keys()].sort()).toEqual([IMAGE.digest, 'two'].sort())
    await expect(store.delete('one')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
  })

  test.each([400, 405, 415])(
    'docker-registry 2: DELETE of a tag answered %i goes round by another manifest',
    async (status) => {
      const server = await uploadServer(({ method, path }, response) => {
        if (method !== 'DELETE' || path.includes('sha256:')) return false
        response.writeHead(status).end()
        return true
      })
      await put(server, MANIFEST, ['one', 'two'])
      const { store } = openTestStore(server.host)
      await store.delete('one')
      expect([...server.manifests.keys()].sort()).toEqual([IMAGE.digest, 'two'].sort())
      await expect(store.delete('one')).rejects.toMatchObject({ code: 'REFERENCE_UNKNOWN' })
    },
  )

  test('a registry that deletes nothing leaves the tag where it was', async () => {
    const server = await uploadServer(({ method }, response) => {
      if (method === 'DELETE') response.writeHead(405).end()
      return method === 'DELETE'
    })
    await put(server, MANIFEST, 'one')
    const { store } = openTestStore(server.host)
    await expect(store.delete('one')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(server.manifests.get('one')?.content).toBe(MANIFEST)
    await expect(store.delete(IMAGE)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(store.deleteBlob(describeBlob(CONFIG))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  test.each([
    ['refused', 403],
    ['cancelled', undefined],
  ])('%s, and the tag cannot be put back: its digest is told', async (_, status) => {
    const controller = new AbortController()
    let puts = 0
    const server = await uploadServer(({ method, path }, response) => {
      const isPut = method === 'PUT' && path.endsWith('/manifests/one')
      if (isPut && ++puts <= 2) return false
      if (method !== 'DELETE' && !isPut) return false
      if (method === 'DELETE' && path.includes('sha256:') && status === undefined) controller.abort('enough')
      else response.writeHead(method === 'PUT' ? 507 : path.includes('sha256:') ? 403 : 405).end()
      return true
    })
    await put(server, MANIFEST, 'one')
    const { store, events } = openTestStore(server.host, { retry: { attempts: 2 } })
    const hint = `one stands for a placeholder now: tag ${IMAGE.digest} with it again`
    const deletion = store.delete('one', { signal: controller.signal })
    if (status === undefined) await expect(deletion).rejects.toBe('enough')
    else await expect(deletion).rejects.toMatchObject({ code: 'AUTH_DENIED', details: { status }, hint })
    expect(events).toContainEqual({ type: 'warning', message: hint })
    expect(puts).toBeGreaterThan(2)
  })

  test('a manifest that nobody can read', async () => {
    const server = await uploadServer()
    const content = '{"schemaVersion":1}'
    const entry = { type: 'application/vnd.docker.distribution.manifest.v1+prettyjws', content }
    server.manifests.set(digestOf(content), entry)
    await openTestStore(server.host).store.delete(digestOf(content))
    expect(server.manifests.size).toBe(0)
  })

  test('what is not there', async () => {
    const server = await uploadServer()
    const { store } = openTestStore(server.host)
    await expect(store.delete(IMAGE)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    await expect(store.deleteBlob(describeBlob(CONFIG))).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    server.blobs.set(describeBlob(CONFIG).digest, CONFIG)
    await store.deleteBlob(describeBlob(CONFIG))
    expect(server.blobs.size).toBe(0)
  })

  test.each([502, 'a reset'])('deletes although the answer was lost: %s', async (loss) => {
    let losses = 1
    const server = await uploadServer(({ method, path }, response, { manifests, blobs }) => {
      if (method !== 'DELETE' || losses-- <= 0) return false
      const reference = path.split('/').at(-1) ?? ''
      manifests.delete(reference)
      blobs.delete(reference)
      if (typeof loss === 'number') response.writeHead(loss).end()
      else response.destroy()
      return true
    })
    await put(server, MANIFEST, 'one')
    server.blobs.set(describeBlob(CONFIG).digest, CONFIG)
    const { store } = openTestStore(server.host)
    for (const remove of [
      () => store.delete('one'),
      () => store.delete(IMAGE),
      () => store.deleteBlob(describeBlob(CONFIG)),
    ]) {
      losses = 1
      await remove()
      expect(losses).toBe(-1)
    }
    expect([server.manifests.size, server.blobs.size]).toEqual([0, 0])
  })

  test('a 429 leaves no doubt that nothing was deleted', async () => {
    let isLimited = true
    const server = await uploadServer(({ method }, response) => {
      if (method !== 'DELETE' || !isLimited) return false
      isLimited = false
      response.writeHead(429).end()
      return true
    })
    const { store } = openTestStore(server.host)
    const missing = store.deleteBlob(describeBlob(CONFIG))
    await expect(missing).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  })

  test('the right to delete is asked for', async () => {
    const scopes: string[] = []
    const server = await uploadServer(({ path, headers }, response) => {
      if (path.startsWith('/token')) {
        scopes.push(new URL(path, server.url).searchParams.getAll('scope').join(' '))
        response.end(JSON.stringify({ token: 'token-of-tests' }))
        return true
      }
      if (headers.authorization) return false
      const challenge = `Bearer realm="${server.url}/token",service="s"`
      response.writeHead(401, { 'WWW-Authenticate': challenge }).end()
      return true
    })
    server.blobs.set(describeBlob(CONFIG).digest, CONFIG)
    await openTestStore(server.host).store.deleteBlob(describeBlob(CONFIG))
    expect(scopes).toEqual(['repository:lab/image:delete'])
  })
})
