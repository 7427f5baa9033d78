import type { ServerResponse } from 'node:http'
import { digestOf, type ScriptedServer, type Seen, scriptedServer } from './server.ts'

/** A registry that takes uploads as distribution does, in memory. */
export interface UploadServer extends ScriptedServer {
  /** Blobs by digest. */
  readonly blobs: Map<string, string>
  /** Manifests by tag and by digest. */
  readonly manifests: Map<string, { readonly type: string; readonly content: string }>
  /** What was asked, in short: `PATCH 0-4`, `PUT digest`. */
  asked(): string[]
}

/** Looks at a request first; `true` when it has answered it. Throws away what it likes. */
export type Intercept = (
  request: Seen,
  response: ServerResponse,
  server: Pick<UploadServer, 'blobs' | 'manifests'> & { readonly uploads: Map<string, string> },
) => boolean | undefined

/** Starts one. Uploads carry their offset in the query, and a stale one is refused, as docker-registry does. */
export async function uploadServer(intercept: Intercept = () => false): Promise<UploadServer> {
  const blobs = new Map<string, string>()
  const manifests: UploadServer['manifests'] = new Map()
  const uploads = new Map<string, string>()

  const server = await scriptedServer((request, response) => {
    if (intercept(request, response, { blobs, manifests, uploads })) return
    const { method, headers, body } = request
    const url = new URL(request.path, 'http://registry')
    const end = (status: number, more: Record<string, string> = {}, content = ''): void =>
      void response.writeHead(status, more).end(method === 'HEAD' ? undefined : content)
    const [, kind = '', rest = ''] = /^\/v2\/[^?]*?\/(blobs|manifests)\/(.*)$/.exec(url.pathname) ?? []
    if (kind === 'manifests') return answerManifest(request, rest, manifests, end)
    if (kind !== 'blobs') return end(404)
    if (!rest.startsWith('uploads/')) {
      if (method === 'DELETE') return end(blobs.delete(rest) ? 202 : 404)
      return blobs.has(rest) ? end(200, {}, blobs.get(rest)) : end(404)
    }
    const id = rest.slice('uploads/'.length)
    const proceed = (status: number): void => {
      const length = uploads.get(id)?.length ?? 0
      const location = `${url.pathname}?state=${length}%20opaque~`
      end(status, { Location: location, Range: `0-${Math.max(0, length - 1)}` })
    }
    if (method === 'POST') {
      const fresh = `${uploads.size + 1}`
      uploads.set(fresh, '')
      const location = `${url.pathname}${fresh}?state=0%20opaque~`
      return end(202, { Location: location, Range: '0-0' })
    }
    const have = uploads.get(id)
    if (have === undefined || !url.search.startsWith(`?state=${have.length}%20opaque~`)) {
      return end(404, {}, '{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"stale"}]}')
    }
    if (method === 'GET') return proceed(204)
    if (method === 'DELETE') {
      uploads.delete(id)
      return end(204)
    }
    uploads.set(id, have + body)
    if (method === 'PATCH') {
      const [start, last] = (headers['content-range'] ?? '').split('-').map(Number)
      if (start !== have.length || last !== have.length + body.length - 1) return end(416)
      return proceed(202)
    }
    const digest = url.searchParams.get('digest') ?? ''
    if (digest !== digestOf(have + body)) return end(400, {}, '{"errors":[{"code":"DIGEST_INVALID"}]}')
    blobs.set(digest, have + body)
    return end(201, { Location: `/v2/lab/image/blobs/${digest}` })
  })

  const asked = (): string[] =>
    server.seen.map(({ method, path, headers }) => {
      const range = headers['content-range']
      const query = new URL(path, 'http://registry').searchParams
      return [method, range, query.has('digest') && 'digest', query.has('mount') && 'mount']
        .filter(Boolean)
        .join(' ')
    })
  return { ...server, blobs, manifests, asked }
}

function answerManifest(
  { method, headers, body }: Seen,
  reference: string,
  manifests: UploadServer['manifests'],
  end: (status: number, headers?: Record<string, string>, content?: string) => void,
): void {
  const found = manifests.get(reference)
  if (method === 'PUT') {
    const entry = { type: headers['content-type'] ?? '', content: body }
    manifests.set(reference, entry).set(digestOf(body), entry)
    end(201)
    return
  }
  if (!found) {
    end(404)
    return
  }
  if (method === 'DELETE') {
    for (const [name, entry] of manifests) if (entry.content === found.content) manifests.delete(name)
    end(202)
    return
  }
  const digest = digestOf(found.content)
  const about = { 'Content-Type': found.type, ETag: `"${digest}"`, 'Docker-Content-Digest': digest }
  end(200, { ...about, 'Content-Length': String(found.content.length) }, found.content)
}
