import { isDigest } from '@bootable/oci'
import { answer, type Call, failure } from './answer.ts'
import type { Context, Target } from './context.ts'

const TYPE = 'application/octet-stream'

/** GET and HEAD: distribution-spec, "Pulling blobs". */
export function getBlob(context: Context, call: Call, { name, reference }: Target): Response {
  const invalid = checkDigest(reference)
  if (invalid) return invalid
  const bytes = isDigest(reference) ? context.storage.repositories.get(name)?.blobs.get(reference) : undefined
  if (!bytes) return failure(404, 'BLOB_UNKNOWN', 'blob unknown to registry')
  const { blobRedirect } = context.options
  if (blobRedirect) {
    const { origin = otherOrigin(call.url), lifetime = 60 } = blobRedirect
    const target = new URL(`/storage/${name}/${reference}`, origin)
    const expires = Math.ceil(context.clock.now() / 1000) + lifetime
    target.searchParams.set('X-Expires', String(expires))
    target.searchParams.set('X-Signature', signatureOf(target.pathname, expires))
    return answer(307, { Location: target.href, 'Docker-Content-Digest': reference })
  }
  return sendBytes(call, bytes, { 'Docker-Content-Digest': reference })
}

/** What a signed URL stands for; as S3 does it, credentials beside the signature are refused. */
export function getStored(context: Context, call: Call, { name, reference }: Target): Response {
  const { url, headers } = call
  const expires = Number(url.searchParams.get('X-Expires'))
  const xml = (status: number, code: string): Response =>
    answer(
      status,
      { 'Content-Type': 'application/xml' },
      new TextEncoder().encode(`<Error><Code>${code}</Code></Error>`),
    )
  if (headers.has('authorization')) return xml(400, 'InvalidArgument')
  if (url.searchParams.get('X-Signature') !== signatureOf(url.pathname, expires)) {
    return xml(403, 'SignatureDoesNotMatch')
  }
  if (context.clock.now() / 1000 >= expires) return xml(403, 'AccessDenied')
  const bytes = isDigest(reference) ? context.storage.repositories.get(name)?.blobs.get(reference) : undefined
  return bytes ? sendBytes(call, bytes) : xml(404, 'NoSuchKey')
}

/** A digest that no registry may take: distribution-spec, "Digest". */
export function checkDigest(text: string): Response | undefined {
  return isDigest(text) ? undefined : failure(400, 'DIGEST_INVALID', `invalid digest ${text.slice(0, 200)}`)
}

function sendBytes(
  { headers }: Call,
  bytes: Uint8Array,
  more: Readonly<Record<string, string>> = {},
): Response {
  const common = { 'Content-Type': TYPE, 'Accept-Ranges': 'bytes', ...more }
  const range = rangeOf(headers.get('range'), bytes.length)
  if (range === undefined) return answer(200, common, bytes)
  if (range === 'unsatisfiable') return answer(416, { 'Content-Range': `bytes */${bytes.length}` })
  const { start, end } = range
  const part = { 'Content-Range': `bytes ${start}-${end}/${bytes.length}` }
  return answer(206, { ...common, ...part }, bytes.subarray(start, end + 1))
}

/**
 * One range of bytes: RFC 9110, 14.1.2. Several at once, or what is none, are as if nothing was asked.
 */
function rangeOf(
  header: string | null,
  size: number,
): { readonly start: number; readonly end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  const [, first = '', last = ''] = match ?? []
  if (!match || (first === '' && last === '')) return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < start) return undefined
  return start >= size ? 'unsatisfiable' : { start, end }
}

/** Not a secret, only something that a changed URL does not have. */
function signatureOf(path: string, expires: number): string {
  let sum = 0
  for (const character of `${path} ${expires}`) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) >>> 0
  return sum.toString(16)
}

function otherOrigin(url: URL): string {
  const other = new URL(url)
  other.hostname = url.hostname === '127.0.0.1' ? 'localhost' : '127.0.0.1'
  return other.origin
}
