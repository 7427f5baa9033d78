import { BootableError } from '@bootable/bytes'

/**
 * The cases in which a registry, the way to it, or what one needs for it fails. A store of a registry also
 * throws the codes of every `ImageStore`: `REFERENCE_UNKNOWN`, `MANIFEST_UNKNOWN`, `BLOB_UNKNOWN`,
 * `DIGEST_MISMATCH` …
 */
export type RegistryErrorCode =
  /** The registry wants credentials and there are none. */
  | 'AUTH_REQUIRED'
  /** Credentials were given and refused, or do not suffice. */
  | 'AUTH_DENIED'
  /** Credentials could not be read: a broken configuration file or helper. */
  | 'CREDENTIALS_UNREADABLE'
  /** A file that says how hosts are reached is broken: `registries.conf`, `certs.d`, an address of a proxy. */
  | 'CONFIGURATION_INVALID'
  /** The administrator of this host forbids the repository. */
  | 'REGISTRY_BLOCKED'
  | 'NOT_FOUND'
  | 'RATE_LIMITED'
  | 'SERVER_ERROR'
  /** No connection, or one that broke. */
  | 'NETWORK'
  /** Nothing came for too long. */
  | 'TIMEOUT'
  /** An answer that the distribution specification does not allow. */
  | 'PROTOCOL'
  /** Something that this registry does not do, such as to delete. */
  | 'UNSUPPORTED'
  /** An address that must not be visited, such as a redirect from https to http. */
  | 'POLICY'

/** One entry of the error document: distribution-spec, "Error Codes". */
export interface RegistryErrorEntry {
  readonly code: string
  readonly message: string
}

/** What every error of a request tells. No credential and no signature of a URL is ever in it. */
export interface RegistryErrorDetails {
  readonly method?: string
  /** Without user, password and the values of its query. */
  readonly url?: string
  readonly status?: number
  readonly errors?: readonly RegistryErrorEntry[]
  /** Whether the same request may succeed later. */
  readonly retryable?: boolean
  /** Milliseconds to wait before that, where the server said so. */
  readonly retryAfter?: number
  /** How often it was tried. */
  readonly attempts?: number
  readonly [name: string]: unknown
}

/** An error of a registry call; `retryable` is `false` unless said. */
export function registryError<Code extends string = RegistryErrorCode>(
  code: Code,
  message: string,
  details: RegistryErrorDetails = {},
  options: { readonly hint?: string | undefined; readonly cause?: unknown } = {},
): BootableError<Code> {
  const { hint, cause } = options
  return new BootableError(code, message, {
    details: { retryable: false, ...details },
    ...(hint !== undefined && { hint }),
    ...(cause !== undefined && { cause }),
  })
}

/** Whether it makes sense to try again what failed with this error. */
export function isRetryable(error: unknown): boolean {
  return BootableError.is(error) && error.details.retryable === true
}
