import type { Transport } from './transport.ts'

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
        headers: { ...headers },
        // TypeScript's web library wants to know that the buffer is not shared; both kinds can be sent.
        ...(body && { body: body as Uint8Array<ArrayBuffer> }),
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
