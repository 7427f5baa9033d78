import type { HttpRequest, Transport } from './transport.ts'

/** Options of {@link fetchTransport}. */
export interface FetchTransportOptions {
  /** @defaultValue the global one */
  readonly fetch?: typeof globalThis.fetch
}

/** A transport over `fetch`: works wherever there is one. */
export function fetchTransport(options: FetchTransportOptions = {}): Transport {
  const { fetch = globalThis.fetch } = options
  return {
    async send({ method, url, headers, body }, { signal }) {
      const response = await fetch(url, {
        method,
        ...(await withBody(headers, body)),
        redirect: 'manual',
        credentials: 'omit',
        cache: 'no-store',
        referrerPolicy: 'no-referrer',
        signal,
      })
      return {
        status: response.status,
        headers: response.headers,
        body: chunksOf(response.body),
        async cancel() {
          // A body that is being read is locked; the reader's end cancels it.
          if (!response.body?.locked) await response.body?.cancel().catch(() => {})
        },
      }
    },
  }
}

/**
 * A stream without an explicit length would be sent in chunks, which registries refuse. (Browsers do not
 * let a page set that header, and send streams over HTTP/2 alone.)
 */
async function withBody(
  headers: HttpRequest['headers'],
  body: HttpRequest['body'],
): Promise<RequestInit & { readonly duplex?: 'half' }> {
  if (!body) return { headers: { ...headers } }
  // TypeScript's web library wants to know that the buffer is not shared; both kinds can be sent.
  if (body instanceof Uint8Array) return { headers: { ...headers }, body: body as Uint8Array<ArrayBuffer> }
  return {
    headers: { ...headers, 'Content-Length': String(body.size) },
    body: streamOf(await body.open()),
    duplex: 'half',
  }
}

/** Not every engine has `ReadableStream.from`. */
function streamOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = chunks[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next()
        if (done) controller.close()
        else controller.enqueue(value as Uint8Array<ArrayBuffer>)
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

/** Not every engine can iterate over a stream itself. There is none in the answer to HEAD. */
async function* chunksOf(
  stream: ReadableStream<Uint8Array> | null,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (!stream) return
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    yield value
  }
}
