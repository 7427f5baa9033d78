import type { RuntimeOptions } from '@bootable/bytes'
import type { Clock } from '../clock.ts'
import type { TestFault } from './fault.ts'

/** What somebody may do, and where. */
export interface TestAccess {
  /** A regular expression that the whole name of the repository must match: `public/.*`. */
  readonly repository: string
  readonly actions: readonly ('pull' | 'push' | 'delete')[]
}

/** Somebody who can log in. */
export interface TestUser {
  readonly username: string
  readonly password: string
  /** Taken by the token endpoint in place of the password: what `docker login` stores as `identitytoken`. */
  readonly identityToken?: string
  /** @defaultValue everything */
  readonly access?: readonly TestAccess[]
}

/** How the registry asks who one is. */
export interface TestAuth {
  /** `token`: distribution's "Token Authentication Specification", the endpoint being `/token`. */
  readonly type: 'basic' | 'token'
  readonly users: readonly TestUser[]
  /** What anybody may do. @defaultValue nothing */
  readonly anonymous?: readonly TestAccess[]
  /** Seconds that a token lives. @defaultValue 300 */
  readonly lifetime?: number
  /** @defaultValue `test-registry` */
  readonly service?: string
}

/** Blobs that are handed out by another origin, by signed URLs that expire, as S3 does. */
export interface TestBlobRedirect {
  /**
   * Where they are: `http://localhost:5001`. The registry itself answers there, too.
   * @defaultValue the same port of `localhost` when asked as `127.0.0.1`, else of `127.0.0.1`
   */
  readonly origin?: string
  /** Seconds that a signed URL lives. @defaultValue 60 */
  readonly lifetime?: number
}

/** A quota of pulls like that of Docker Hub: every GET of a manifest counts. */
export interface TestRateLimit {
  readonly limit: number
  /** Seconds. @defaultValue 21 600 */
  readonly window?: number
}

/** Options of {@link createTestRegistry}. Left out, it can do everything and asks nobody who he is. */
export interface TestRegistryOptions extends RuntimeOptions {
  readonly auth?: TestAuth
  /** The referrers API. Without it a client has to keep a fallback tag. @defaultValue true */
  readonly referrers?: boolean
  /** Whether tags, manifests and blobs can be deleted, all or one kind. @defaultValue true */
  readonly deletion?: boolean | readonly ('tags' | 'manifests' | 'blobs')[]
  /** Cross-repository mounts; `anonymous` takes those without `from`, too. @defaultValue true */
  readonly mount?: boolean | 'anonymous'
  /** Bytes that a chunk must have unless it is the last: `OCI-Chunk-Min-Length`. @defaultValue none */
  readonly minChunkLength?: number
  /**
   * What a chunk whose body breaks does to its upload. `spoil`: nobody can go on with it, as with
   * distribution 2.8. `forget`: it stays where it was. `keep`: what arrived counts.
   * @defaultValue `spoil`
   */
  readonly brokenChunk?: 'spoil' | 'forget' | 'keep'
  /** `Location` and `Link` without scheme and host. @defaultValue false */
  readonly relativeLocations?: boolean
  /** What browsers need to let a page of another origin in. @defaultValue false */
  readonly cors?: boolean
  readonly blobRedirect?: TestBlobRedirect
  /** The most entries of a page of tags, repositories or referrers. @defaultValue 1000 */
  readonly pageSize?: number
  /** Sent with every answer: distribution-spec, "Warnings". */
  readonly warnings?: readonly string[]
  readonly rateLimit?: TestRateLimit
  /** What goes wrong; more can be added at any time. */
  readonly faults?: readonly TestFault[]
  /** For expiries and delays. @defaultValue the host's clock */
  readonly clock?: Clock
}
