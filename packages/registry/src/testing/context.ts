import type { Runtime } from '@bootable/bytes'
import type { Clock } from '../clock.ts'
import type { Call } from './answer.ts'
import type { TestRegistryOptions } from './options.ts'
import type { Storage } from './storage.ts'

/** What every endpoint works with. */
export interface Context {
  readonly storage: Storage
  readonly options: TestRegistryOptions
  readonly runtime: Runtime
  readonly clock: Clock
  /** Whether the caller may do this elsewhere as well: the source of a mount. */
  mayPull(call: Call, repository: string): boolean
}

/** What a path names below `/v2/`. */
export interface Target {
  readonly name: string
  /** Tag, digest or upload. */
  readonly reference: string
}

/** An address of this registry for a header, whole or without the host. */
export function locationOf({ options }: Context, { url }: Call, path: string): string {
  return options.relativeLocations ? path : new URL(path, url).href
}

/** What `pageOf` cuts out of a list, and the headers that tell where it goes on. */
export interface Page<T> {
  readonly entries: readonly T[]
  readonly headers: Readonly<Record<string, string>>
}

/**
 * A page of a sorted list: distribution-spec, "Listing Tags". `n` bounds it, `last` is the entry before it.
 */
export function pageOf<T>(
  context: Context,
  call: Call,
  entries: readonly T[],
  keyOf: (entry: T) => string,
): Page<T> {
  const { searchParams } = call.url
  const last = searchParams.get('last')
  const asked = searchParams.get('n')
  const limit = Math.min(asked === null ? Infinity : Number(asked), context.options.pageSize ?? 1000)
  const sorted = entries.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  const rest = last === null ? sorted : sorted.filter((entry) => keyOf(entry) > last)
  const page = rest.slice(0, Number.isNaN(limit) ? 0 : limit)
  const end = page.at(-1)
  if (end === undefined || page.length === rest.length) return { entries: page, headers: {} }
  const next = new URL(call.url)
  next.searchParams.set('last', keyOf(end))
  const target = locationOf(context, call, next.pathname + next.search)
  return { entries: page, headers: { Link: `<${target}>; rel="next"` } }
}
