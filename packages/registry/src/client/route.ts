import { BootableError } from '@bootable/bytes'
import type { OciErrorCode } from '@bootable/oci'
import { registryError } from '../errors.ts'
import type { RegistryEvent } from '../events.ts'
import { formatRepositoryName, parseRepositoryName, type RepositoryName } from './name.ts'

/** A place that has copies of a repository. */
export interface RepositoryMirror {
  /** `host/repository`, as in references. */
  readonly location: string
  /** It may be spoken to without TLS, or with a certificate that nobody vouches for. @defaultValue false */
  readonly insecure?: boolean
  /** What it is asked for, judged by the reference of the pull. @defaultValue `all` */
  readonly pull?: 'all' | 'digest-only' | 'tag-only'
}

/** Where a repository is found. */
export interface RepositoryRoute {
  /** It must not be asked for; the text says who decided that. */
  readonly blocked?: string
  /** Asked before anything else, in this order, and for pulls alone. */
  readonly mirrors?: readonly RepositoryMirror[]
  /** Where it is read from, `host/repository`. It is written to where its name says. @defaultValue the same */
  readonly location?: string
  /** The registry needs no TLS, or any certificate will do. @defaultValue false */
  readonly insecure?: boolean
}

/**
 * Says where a repository is found; `undefined` where its name says it. It is asked once for each store.
 * `routeRegistries` of `@bootable/registry/node` reads `registries.conf`.
 */
export type RepositoryRouter = (
  target: Pick<RepositoryName, 'host' | 'repository' | 'reference'>,
) => Promise<RepositoryRoute | undefined>

/**
 * How a repository is read: a name that can move, content that is checked by its digest, or a list of what
 * is there, for which mirrors are not asked.
 */
export type PullKind = 'tag' | 'digest' | 'list'

/** An endpoint with its name taken apart. */
export interface Endpoint {
  readonly name: RepositoryName
  readonly insecure: boolean
  /** It comes before the registry itself, so that somebody else can be asked. */
  readonly isMirror: boolean
}

/** Finds the endpoints of the repositories of one client. */
export interface Routes {
  /**
   * Does something at one endpoint after the other until it succeeds. Whatever a mirror fails with, the next
   * one may have the answer; except for content that is not what its digest says, which somebody should see.
   *
   * @param pull without it the registry that the name says is asked, which is for whoever writes
   * @param broken mirrors that are not asked
   * @throws BootableError `REGISTRY_BLOCKED`, `REFERENCE_INVALID`, and the error of the last endpoint
   */
  attempt<T>(
    name: RepositoryName,
    pull: PullKind | undefined,
    work: (endpoint: Endpoint, isLast: boolean) => Promise<T>,
    broken?: ReadonlySet<Endpoint>,
  ): Promise<T>
  /** Tells that content which a mirror began to send did not come; adds it to those that are not asked. */
  abandon(name: RepositoryName, mirror: Endpoint, error: BootableError, broken: Set<Endpoint>): Promise<void>
}

interface Found {
  /** Where the name itself leads. */
  readonly named: Endpoint
  readonly primary: Endpoint
  readonly mirrors: readonly (Endpoint & { readonly pull: RepositoryMirror['pull'] })[]
  /** What answered last: where a manifest was found, its content is as well. */
  chosen?: Endpoint
}

export function createRoutes(
  router: RepositoryRouter | undefined,
  emit: (event: RegistryEvent) => void,
): Routes {
  // By the object: each store has a name of its own.
  const routes = new WeakMap<RepositoryName, Promise<Found>>()

  function find(name: RepositoryName): Promise<Found> {
    let found = routes.get(name)
    if (!found) {
      found = findRoute(name, router)
      routes.set(name, found)
    }
    return found
  }

  function tell(mirror: Endpoint, next: Endpoint, { code, message }: BootableError): void {
    const [from, to] = [formatRepositoryName(mirror.name), formatRepositoryName(next.name)]
    emit({ type: 'mirror', from, to, code, message })
  }

  return {
    async attempt(name, pull, work, broken) {
      const found = await find(name)
      const endpoints = endpointsFor(found, pull, broken)
      for (const [index, endpoint] of endpoints.entries()) {
        const next = endpoints[index + 1]
        try {
          const result = await work(endpoint, next === undefined)
          if (pull === 'tag' || pull === 'digest') found.chosen = endpoint
          return result
        } catch (error) {
          if (!next || !BootableError.is(error) || isTampered(error)) throw error
          tell(endpoint, next, error)
        }
      }
      throw new Error('there is always a last endpoint')
    },
    async abandon(name, mirror, error, broken) {
      broken.add(mirror)
      const [next] = endpointsFor(await find(name), 'digest', broken)
      if (next) tell(mirror, next, error)
    },
  }
}

async function findRoute(name: RepositoryName, router: RepositoryRouter | undefined): Promise<Found> {
  const route = await router?.(name)
  if (route?.blocked !== undefined) {
    const text = formatRepositoryName(name)
    throw registryError('REGISTRY_BLOCKED', `${text} is blocked by ${route.blocked}`, { repository: text })
  }
  const { location, insecure = false, mirrors = [] } = route ?? {}
  const named = { name, insecure, isMirror: false }
  return {
    named,
    primary: location === undefined ? named : { ...endpointOf({ location, insecure }), isMirror: false },
    mirrors: mirrors.map((mirror) => ({ ...endpointOf(mirror), isMirror: true, pull: mirror.pull ?? 'all' })),
  }
}

/** @throws BootableError `REFERENCE_INVALID` */
function endpointOf({ location, insecure = false }: RepositoryMirror): Omit<Endpoint, 'isMirror'> {
  const name = parseRepositoryName(location)
  if (/[@:][^/]*$/.test(location.replace(/^[^/]*/, ''))) {
    const message = `${location} is the place of a repository; it has no tag and no digest`
    throw new BootableError<OciErrorCode>('REFERENCE_INVALID', message, { details: { reference: location } })
  }
  return { name, insecure }
}

/** Content is asked for where its manifest was found, whatever that mirror is for otherwise. */
function endpointsFor(
  { named, primary, mirrors, chosen }: Found,
  pull: PullKind | undefined,
  broken: ReadonlySet<Endpoint> = new Set(),
): Endpoint[] {
  if (pull === undefined) return [named]
  if (pull === 'list') return [primary]
  const fitting = mirrors.filter((mirror) => mirror.pull === 'all' || mirror.pull === `${pull}-only`)
  const ordered = pull === 'digest' && chosen ? [chosen, ...fitting, primary] : [...fitting, primary]
  return [...new Set(ordered)].filter((endpoint) => !broken.has(endpoint))
}

function isTampered({ code }: BootableError): boolean {
  return code === 'DIGEST_MISMATCH' || code === 'SIZE_MISMATCH'
}
