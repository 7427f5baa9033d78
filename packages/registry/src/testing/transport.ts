import type { Transport } from '../http/transport.ts'
import { type Call, chunksOf } from './answer.ts'
import { connectionError } from './fault-body.ts'

/** A body that a transport is given: bytes, or something that can be opened. */
type SentBody = Uint8Array | { readonly size: number; open(): AsyncBytes | Promise<AsyncBytes> }
type AsyncBytes = AsyncIterable<Uint8Array>

/** A transport that asks a function. */
export function createTransport(respond: (call: Call) => Promise<Response>): Transport {
  return {
    async send(request, { signal }) {
      signal.throwIfAborted()
      const { method, url } = request
      const body = request.body as SentBody | undefined
      const headers = new Headers(request.headers)
      const size = body instanceof Uint8Array ? body.length : body?.size
      if (size !== undefined) headers.set('content-length', String(size))
      const response = await until(signal, respond({ method, url, headers, body: sent(body, signal) }))
      if (response.type === 'error') throw connectionError('reset')
      return {
        status: response.status,
        headers: response.headers,
        body: received(response, signal),
        async cancel() {
          if (!response.body?.locked) await response.body?.cancel().catch(() => {})
        },
      }
    },
  }
}

async function* sent(body: SentBody | undefined, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (body === undefined) return
  const chunks = body instanceof Uint8Array ? [body] : await body.open()
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    yield chunk
  }
}

async function* received({ body }: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const chunks = chunksOf(body)
  try {
    for (;;) {
      const next = await until(signal, chunks.next())
      if (next.done) return
      yield next.value
    }
  } finally {
    void chunks.return(undefined)
  }
}

/** Waits, but not beyond the signal: some things here never come, on purpose. */
function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
