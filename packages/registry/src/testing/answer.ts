import { utf8 } from '@bootable/bytes'

/** One request, taken apart: what `Request` is, without the headers that browsers forbid there. */
export interface Call {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  readonly body: AsyncIterable<Uint8Array>
}

/** The codes of distribution-spec, "Error Codes". */
export type SpecErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'

type HeaderValues = Readonly<Record<string, string>>

const PIECE = 64 * 1024

/** An answer with the bytes of `body`, which a stream hands out piece by piece. */
export function answer(status: number, headers: HeaderValues = {}, body?: Uint8Array): Response {
  // The constructor refuses even an empty body for these.
  if (status === 204 || status === 304) return new Response(null, { status, headers })
  const length = String(body?.length ?? 0)
  return new Response(body && streamOf(pieces(body)), {
    status,
    headers: { 'Content-Length': length, ...headers },
  })
}

export function jsonAnswer(
  document: unknown,
  headers: HeaderValues = {},
  type = 'application/json',
): Response {
  return answer(200, { 'Content-Type': type, ...headers }, utf8(JSON.stringify(document)))
}

/** A document of errors: distribution-spec, "Error Codes". */
export function failure(
  status: number,
  code: SpecErrorCode,
  message: string,
  headers: HeaderValues = {},
): Response {
  const document = { errors: [{ code, message }] }
  return answer(status, { 'Content-Type': 'application/json', ...headers }, utf8(JSON.stringify(document)))
}

/** The same answer with other bytes, or without any. Its headers stay what they are. */
export function withBody(response: Response, body: AsyncIterable<Uint8Array> | undefined): Response {
  const { status, headers } = response
  return new Response(body && streamOf(body), { status, headers })
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += PIECE) yield bytes.subarray(offset, offset + PIECE)
}

/** A stream that reads on only as its reader does. An error of the source is the stream's. */
function streamOf(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next()
        if (done) controller.close()
        // A copy: a reader may detach what it is given, and these bytes are the registry's own.
        else controller.enqueue(value.slice())
      },
      cancel() {
        // Not waited for: a source that stalls on purpose never comes back.
        void iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

/** The chunks of a stream. Not every engine can iterate over one itself. */
export async function* chunksOf(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (!stream) return
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    // After the end this changes nothing.
    void reader.cancel().catch(() => {})
  }
}
