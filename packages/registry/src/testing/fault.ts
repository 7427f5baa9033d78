/** Which requests a fault meets. All that is said must be so. */
export interface TestFaultMatch {
  readonly method?: string
  /** A regular expression on path and query, such as `/blobs/sha256:`; as text, a fault is plain data. */
  readonly path?: string | RegExp
  /** Requests that are let pass first. @defaultValue 0 */
  readonly after?: number
  /** Requests that it meets then; `Infinity` for all. @defaultValue 1 */
  readonly times?: number
  /** Counts each path by itself: the first GET of every blob. @defaultValue false */
  readonly perPath?: boolean
}

/** A place in a body: bytes from its start, or a share of it, such as `50%`. */
export type TestFaultPosition = number | `${number}%`

/** What goes wrong. */
export type TestFaultKind =
  /** Another answer in place of the right one; nothing is done. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }
  /** The connection breaks before there is an answer; nothing is done. */
  | { readonly kind: 'drop' }
  /** The answer takes this long. */
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** The client is sent to the same path of another origin, or to that very URL if it has a path. */
  | { readonly kind: 'redirect'; readonly to: string; readonly status?: 301 | 302 | 303 | 307 | 308 }
  /** The whole body and 200, whatever range was asked for. */
  | { readonly kind: 'ignore-range' }
  /** Headers of the answer are set, or with `null` removed. The body stays. */
  | { readonly kind: 'headers'; readonly set: Readonly<Record<string, string | null>> }
  /**
   * The connection breaks within a body: that of the answer, or that of the request, of which the registry
   * then gets only this much. `end` closes it in order, which shows as an early end and not as a reset.
   */
  | {
      readonly kind: 'cut'
      readonly at: TestFaultPosition
      readonly side?: 'response' | 'request'
      readonly how?: 'reset' | 'end'
    }
  /** The body of the answer stops, the connection stays. */
  | { readonly kind: 'stall'; readonly at: TestFaultPosition }
  /** One byte of a body arrives with its bits turned over. */
  | { readonly kind: 'flip'; readonly at: TestFaultPosition; readonly side?: 'response' | 'request' }
  /** The body of the answer goes on after its end; its length is not told. */
  | { readonly kind: 'append'; readonly text: string }

/** Something that goes wrong on demand: one line of data. */
export type TestFault = TestFaultKind & { readonly match?: TestFaultMatch }
