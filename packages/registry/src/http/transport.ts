import type { AddressScope } from './address.ts'

/** A body that is sent while it is made. It can be opened again: a request may have to be repeated. */
export interface RequestBody {
  /** Bytes, which the header `Content-Length` promises. */
  readonly size: number
  open(): Promise<AsyncIterable<Uint8Array>>
}

/**
 * One HTTP request. Everything about it is decided by the caller; a transport adds nothing but
 * `Content-Length`, which it takes from the body.
 */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | RequestBody
  /**
   * The nearest address that the host of `url` may turn out to have, for places that a stranger named. A
   * transport that resolves names connects to no nearer one, and fails with `POLICY`. Through a proxy, and
   * with `fetch`, it is not known where a name leads.
   */
  readonly nearest?: AddressScope | undefined
  /** The user trusts this server whatever certificate it shows. `fetch` cannot do that. */
  readonly insecure?: boolean | undefined
}

/** The answer to an {@link HttpRequest}: status and headers are there, the body is still coming. */
export interface HttpResponse {
  readonly status: number
  /** Several lines of one name are joined with commas. */
  readonly headers: Headers
  /** The IP address that answered, where it is known: not through a proxy, and not with `fetch`. */
  readonly peer?: string | undefined
  /** The bytes as sent. Ends early only with an error, never silently. */
  readonly body: AsyncIterable<Uint8Array>
  /**
   * Gives up a body that nobody has begun to read. Each response is read to its end or cancelled; a reader
   * that stops on the way uses the signal. Never rejects; ends when the connection is free or closed.
   */
  cancel(): Promise<void>
}

/**
 * The way to the network: the seam that `nodeTransport` of `@bootable/registry/node`, a proxy or a test
 * fills.
 *
 * A transport sends exactly one request. It follows no redirect, retries nothing, keeps no cookies and
 * knows no credentials; the client does all of that under its own rules.
 */
export interface Transport {
  /**
   * Rejects when there is no answer. The signal also ends the body, with its reason. A server may answer
   * before it has taken the whole body of the request: that is the answer, and the rest is not sent.
   */
  send(request: HttpRequest, options: { readonly signal: AbortSignal }): Promise<HttpResponse>
  /** Closes idle connections. */
  close?(): Promise<void>
}
