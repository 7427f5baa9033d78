import { isDigest } from '@bootable/oci'
import { answer, type Call, failure } from './answer.ts'
import { type Scope, TOKEN_PATH } from './authentication.ts'
import { getBlob, getStored } from './blobs.ts'
import type { Context, Target } from './context.ts'
import { listCatalog, listReferrers, listTags } from './lists.ts'
import { deleteManifest, getManifest, putManifest } from './manifests.ts'
import { cancelUpload, finishUpload, patchUpload, startUpload, uploadStatus } from './uploads.ts'

type Handler = (context: Context, call: Call, target: Target) => Response | Promise<Response>

/** An endpoint of distribution-spec, "Endpoints". */
interface Route {
  readonly path: RegExp
  readonly methods: Readonly<Record<string, Handler>>
  /** Signed URLs and the token endpoint are open to everybody. */
  readonly isOpen?: boolean
}

/** distribution-spec, "Pulling manifests": what a repository may be called. */
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/

/** HEAD is GET without the body. */
const ROUTES: readonly Route[] = [
  { path: /^\/v2\/$/, methods: { GET: () => answer(200) } },
  { path: /^\/v2\/_catalog$/, methods: { GET: listCatalog } },
  { path: /^\/v2\/(?<name>.+)\/tags\/list$/, methods: { GET: listTags } },
  { path: /^\/v2\/(?<name>.+)\/referrers\/(?<reference>[^/]+)$/, methods: { GET: listReferrers } },
  { path: /^\/v2\/(?<name>.+)\/blobs\/uploads\/?$/, methods: { POST: startUpload } },
  {
    path: /^\/v2\/(?<name>.+)\/blobs\/uploads\/(?<reference>[^/]+)$/,
    methods: { GET: uploadStatus, PATCH: patchUpload, PUT: finishUpload, DELETE: cancelUpload },
  },
  { path: /^\/v2\/(?<name>.+)\/blobs\/(?<reference>[^/]+)$/, methods: { GET: getBlob, DELETE: deleteBlob } },
  {
    path: /^\/v2\/(?<name>.+)\/manifests\/(?<reference>[^/]+)$/,
    methods: {
      GET: getManifest,
      PUT: putManifest,
      DELETE: (context, _, target) => deleteManifest(context, target),
    },
  },
  { path: /^\/storage\/(?<name>.+)\/(?<reference>[^/]+)$/, methods: { GET: getStored }, isOpen: true },
]

/** Where a request leads. */
export interface Destination {
  readonly isOpen: boolean
  readonly scopes: readonly Scope[]
  respond(context: Context): Response | Promise<Response>
}

/** Finds the endpoint of a request, or tells what is wrong with it. */
export function findRoute(call: Call): Destination | Response {
  const { pathname } = call.url
  if (pathname === TOKEN_PATH) return { isOpen: true, scopes: [], respond: () => answer(404) }
  for (const { path, methods, isOpen = false } of ROUTES) {
    const match = path.exec(pathname)
    if (!match) continue
    const target = { name: match.groups?.name ?? '', reference: decode(match.groups?.reference ?? '') }
    if (match.groups?.name !== undefined && !NAME.test(target.name)) {
      return failure(400, 'NAME_INVALID', 'invalid repository name')
    }
    const handler = methods[call.method === 'HEAD' ? 'GET' : call.method]
    if (!handler) return failure(405, 'UNSUPPORTED', `${call.method} is not supported here`)
    const scopes = scopesOf(call, target, pathname)
    return { isOpen, scopes, respond: (context) => handler(context, call, target) }
  }
  return answer(404)
}

function scopesOf({ method }: Call, { name }: Target, pathname: string): Scope[] {
  if (pathname === '/v2/_catalog') return [{ type: 'registry', name: 'catalog', actions: ['*'] }]
  if (name === '') return []
  const isUpload = /\/blobs\/uploads\//.test(pathname)
  const actions =
    method === 'GET' || method === 'HEAD'
      ? ['pull']
      : method === 'DELETE' && !isUpload
        ? ['delete']
        : ['pull', 'push']
  return [{ type: 'repository', name, actions: isUpload ? ['pull', 'push'] : actions }]
}

function deleteBlob({ storage, options }: Context, _: Call, { name, reference }: Target): Response {
  const { deletion = true } = options
  if (deletion !== true && (deletion === false || !deletion.includes('blobs'))) {
    return failure(405, 'UNSUPPORTED', 'blobs cannot be deleted')
  }
  if (!isDigest(reference)) return failure(400, 'DIGEST_INVALID', 'invalid digest')
  const isDeleted = storage.repositories.get(name)?.blobs.delete(reference)
  return isDeleted ? answer(202) : failure(404, 'BLOB_UNKNOWN', 'blob unknown to registry')
}

/** `:` of a digest may arrive escaped. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
