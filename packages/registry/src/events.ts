/** What a registry client tells besides the progress of a call. No secret is ever in an event. */
export type RegistryEvent =
  /** A request or a download failed and is tried again. */
  | {
      readonly type: 'retry'
      readonly url: string
      /** Code of the error, as in `RegistryErrorCode`. */
      readonly code: string
      readonly message: string
      /** Tries so far. */
      readonly attempt: number
      /** Milliseconds until the next. */
      readonly delay: number
      /** Byte at which a download goes on. */
      readonly offset?: number
    }
  /** A token was fetched, or the user's name and password were taken. */
  | {
      readonly type: 'authenticated'
      readonly host: string
      readonly scheme: 'basic' | 'bearer'
      readonly anonymous: boolean
      readonly scope: string
    }
  /** A mirror, or the place that a mirror had named, failed; the next place is asked. */
  | {
      readonly type: 'mirror'
      /** The repository that failed, such as `docker://mirror.lan/library/debian`. */
      readonly from: string
      readonly to: string
      /** Code and text of the error. */
      readonly code: string
      readonly message: string
    }
  /** What the registry said of its quota, with an answer to a pull: requests, and seconds that they are for. */
  | {
      readonly type: 'rate-limit'
      readonly host: string
      readonly limit: number
      readonly remaining?: number
      readonly window?: number
    }
  /** Something that the user should look at; the call goes on. */
  | { readonly type: 'warning'; readonly message: string; readonly hint?: string }

/** Hears {@link RegistryEvent}s; it is called at once and must not block. */
export type RegistryEventListener = (event: RegistryEvent) => void
