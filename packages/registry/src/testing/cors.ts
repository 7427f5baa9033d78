import { answer, type Call } from './answer.ts'

/** Headers that a page may read: those that a client of a registry needs. */
const EXPOSED = [
  'Accept-Ranges',
  'Content-Length',
  'Content-Range',
  'Docker-Content-Digest',
  'Docker-Upload-UUID',
  'ETag',
  'Link',
  'Location',
  'OCI-Chunk-Min-Length',
  'OCI-Filters-Applied',
  'OCI-Subject',
  'OCI-Tag',
  'Range',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'Retry-After',
  'WWW-Authenticate',
  'Warning',
]

/** Answers what a browser asks before it sends a request: Fetch standard, "CORS protocol". */
export function preflight({ headers }: Call): Response {
  const wanted = headers.get('access-control-request-headers')
  return answer(204, {
    'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
    // `*` would not cover `Authorization`.
    ...(wanted !== null && { 'Access-Control-Allow-Headers': wanted }),
    'Access-Control-Max-Age': '600',
  })
}

export function allowOrigin({ headers }: Response): void {
  headers.set('Access-Control-Allow-Origin', '*')
  headers.set('Access-Control-Expose-Headers', EXPOSED.join(', '))
}
