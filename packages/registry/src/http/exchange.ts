import { BootableError } from '@bootable/bytes'
import { registryError } from '../errors.ts'
import { redactUrl } from './redact.ts'
import { tlsHint } from './tls-hint.ts'
import type { HttpRequest, HttpResponse, RequestBody, Transport } from './transport.ts'

/** Milliseconds. */
export const DEFAULT_TIMEOUT = 30_000

/** How long to wait for a server that says nothing, in milliseconds. */
export interface Timeouts {
  /** For status and headers, the connection included. @defaultValue 30 000 */
  readonly response?: number
  /** Between two pieces of a body, in both directions. There is no limit on the whole. @defaultValue 30 000 */
  readonly idle?: number
}

/** Options of {@link exchange}. */
export interface ExchangeOptions {
  readonly transport: Transport
  readonly timeouts?: Timeouts
  readonly signal?: AbortSignal | undefined
}

/**
 * Sends one request and watches over the answer: a server that goes silent, before or within the body, is
 * given up, and everything that breaks is one kind of error.
 * @throws BootableError `NETWORK`, `TIMEOUT`; the body throws them too
 */
export async function exchange(request: HttpRequest, options: ExchangeOptions): Promise<HttpResponse> {
  const { transport, timeouts = {}, signal } = options
  const watch = createWatch(request, signal)
  try {
    const { response: patience = DEFAULT_TIMEOUT, idle = DEFAULT_TIMEOUT } = timeouts
    const { body } = request
    const isStream = body && !(body instanceof Uint8Array)
    const watched = isStream ? { ...request, body: watchBody(body, watch, idle, patience) } : request
    const sent = transport.send(watched, { signal: watch.signal })
    const response = await watch.guard(sent, patience, 'no answer')
    watch.answered()
    const cancel = (): Promise<void> => {
      watch.release()
      return response.cancel()
    }
    return { ...response, body: guardBody(response, watch, idle), cancel }
  } catch (error) {
    // The source may be making a piece still, which nobody is going to wait for.
    watch.answered()
    watch.release()
    throw error
  }
}

/**
 * A body on whose way the server must not fall silent. While the next piece of it is being made the server
 * is not to blame; when it has all of it, it gets the time for an answer.
 */
function watchBody({ size, open }: RequestBody, watch: Watch, idle: number, patience: number): RequestBody {
  const fail = (error: unknown): never => {
    // What the source says is not the fault of the network, which is what a transport would make of it.
    watch.abort(error)
    throw error
  }
  async function* watched(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of chunks) {
        watch.expect(idle, 'the upload stopped')
        yield chunk
        watch.pause()
      }
    } catch (error) {
      fail(error)
    }
    watch.expect(patience, 'no answer')
  }
  return {
    size,
    async open() {
      // After the transport was asked, so that its time has begun.
      await Promise.resolve()
      watch.pause()
      return watched(await open().catch(fail))
    },
  }
}

async function* guardBody(
  response: HttpResponse,
  watch: Watch,
  idle: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = response.body[Symbol.asyncIterator]()
  let complete = false
  try {
    for (;;) {
      const next = await watch.guard(chunks.next(), idle, 'the body stopped')
      if (next.done) {
        complete = true
        return
      }
      yield next.value
    }
  } finally {
    watch.release()
    // Not `chunks.return()`: that would wait for the read that hangs.
    if (!complete) watch.abort()
  }
}

interface Watch {
  readonly signal: AbortSignal
  /** Waits for one step, but no longer than `milliseconds`. */
  guard<T>(step: Promise<T>, milliseconds: number, silence: string): Promise<T>
  /** Until the answer is there: gives the server this much time from now on. */
  expect(milliseconds: number, silence: string): void
  /** Until the answer is there: stops the time. */
  pause(): void
  /** The answer is there, or there will be none: what is left of the body of the request no longer matters. */
  answered(): void
  abort(reason?: unknown): void
  /** Lets go of the caller's signal. */
  release(): void
}

function createWatch({ method, url }: HttpRequest, outer: AbortSignal | undefined): Watch {
  outer?.throwIfAborted()
  const controller = new AbortController()
  const { signal } = controller
  const forward = (): void => controller.abort(outer?.reason)
  outer?.addEventListener('abort', forward, { once: true })
  const request = { method, url: redactUrl(url) }
  let timer: ReturnType<typeof setTimeout> | undefined
  let isAnswered = false

  const start = (milliseconds: number, silence: string): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      const message = `${method} ${request.url}: ${silence} for ${milliseconds} ms`
      controller.abort(registryError('TIMEOUT', message, { ...request, retryable: true }))
    }, milliseconds)
  }

  return {
    signal,
    expect: (milliseconds, silence) => isAnswered || signal.aborted || start(milliseconds, silence),
    pause: () => isAnswered || clearTimeout(timer),
    answered() {
      isAnswered = true
      clearTimeout(timer)
    },
    guard(step, milliseconds, silence) {
      return new Promise((resolve, reject) => {
        const interrupted = (): void => settle(() => reject(signal.reason))
        const settle = (finish: () => void): void => {
          clearTimeout(timer)
          signal.removeEventListener('abort', interrupted)
          finish()
        }
        start(milliseconds, silence)
        if (signal.aborted) interrupted()
        else signal.addEventListener('abort', interrupted, { once: true })
        step.then(
          (value) => settle(() => resolve(value)),
          (error) => settle(() => reject(signal.aborted ? signal.reason : networkError(error, request))),
        )
      })
    },
    abort: (reason) => controller.abort(reason),
    release: () => outer?.removeEventListener('abort', forward),
  }
}

/** Causes that stay: another try would meet them again. Codes of Node, which its `fetch` passes on. */
const LASTING = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|^ERR_TLS|^ERR_SSL|^EPROTO$|^ENOTFOUND$|^ERR_INVALID/

function networkError(error: unknown, request: { method: string; url: string }): Error {
  const url = new URL(request.url)
  if (BootableError.is(error)) return error
  const root = rootCause(error)
  const retryable = !LASTING.test(root.code ?? '')
  const message = `${request.method} ${request.url} failed: ${root.message}`
  const details = { ...request, retryable, ...(root.code !== undefined && { cause: root.code }) }
  return registryError('NETWORK', message, details, { cause: error, hint: tlsHint(root.code, url) })
}

/** `fetch` says only `fetch failed`; what happened is in the cause of its error. */
function rootCause(error: unknown): { message: string; code?: string } {
  let current = error
  for (let depth = 0; depth < 5 && current instanceof Error && current.cause instanceof Error; depth++) {
    current = current.cause
  }
  // Several addresses of one name were tried: Node gathers their failures.
  if (current instanceof AggregateError && current.errors[0] instanceof Error) current = current.errors[0]
  if (!(current instanceof Error)) return { message: String(current) }
  const { code } = current as { code?: unknown }
  return { message: current.message, ...(typeof code === 'string' && { code }) }
}
