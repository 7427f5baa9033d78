import { BootableError } from '@bootable/bytes'
import { formatReference, normalizeDockerHub, type Reference } from '@bootable/oci'
import type { SignaturesErrorCode } from '../errors.ts'
import type { Policy, PolicyRequirement } from './types.ts'

/** Where an image comes from, in the words of containers-transports(5): what a policy's scopes speak of. */
export type ImageLocation =
  /** A registry; the tag `latest` is meant where the reference has neither tag nor digest. */
  | { readonly transport: 'docker'; readonly reference: Reference }
  /** A file or folder, its path absolute and without symbolic links. */
  | { readonly transport: string; readonly path: string }
  /** A storage or a daemon of this host, of whose scopes only `''` is understood. */
  | { readonly transport: 'containers-storage' | 'docker-daemon' }

/** The list of a policy that applies to an image, and where it stands there. */
export interface ApplicablePolicy {
  readonly requirements: readonly PolicyRequirement[]
  /** `default`, or the transport and the scope: `docker: quay.io/fedora`. */
  readonly scope: string
}

/** The name of an image, which signatures are compared with; files have none. */
export function referenceOf(location: ImageLocation): Reference | undefined {
  if (!('reference' in location)) return undefined
  const reference = normalizeDockerHub(location.reference)
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: 'latest' }
    : reference
}

/**
 * The most specific list that a policy has for a place: the image itself, then its repository, every
 * namespace up to the host, then `*.` and the domains above the host (docker); the path and the folders
 * above it (oci, oci-archive); then the transport's default and the policy's.
 *
 * @throws BootableError `POLICY_UNSUPPORTED` where it has scopes for a storage or a daemon, which might apply
 */
export function findRequirements(policy: Policy, location: ImageLocation): ApplicablePolicy {
  const scopes = Object.hasOwn(policy.transports, location.transport)
    ? policy.transports[location.transport]
    : undefined
  if (scopes && !('path' in location) && !('reference' in location)) refuseScopes(scopes, location.transport)
  for (const scope of scopes ? [...scopesOf(location), ''] : []) {
    const requirements = scopes && Object.hasOwn(scopes, scope) ? scopes[scope] : undefined
    if (requirements) return { requirements, scope: `${location.transport}: ${scope || 'every image'}` }
  }
  return { requirements: policy.default, scope: 'default' }
}

function refuseScopes(scopes: Policy['transports'][string] & object, transport: string): void {
  const [scope] = Object.keys(scopes).filter((each) => each !== '')
  if (scope === undefined) return
  const details = { transport, scope }
  const message = `the policy has the scope ${JSON.stringify(scope)} for ${transport}, which is not understood here`
  throw new BootableError<SignaturesErrorCode>('POLICY_UNSUPPORTED', message, { details })
}

function scopesOf(location: ImageLocation): string[] {
  const reference = referenceOf(location)
  if (reference) return registryScopes(reference)
  // docker-archive knows no scopes: one of its files holds images of many names.
  if (!('path' in location) || location.transport === 'docker-archive') return []
  return parents(location.path).filter((scope) => scope !== '')
}

function registryScopes({ host = 'docker.io', repository, tag, digest }: Reference): string[] {
  // The digest is what is fetched; a tag beside it is only said.
  const image = formatReference({ host, repository, ...(digest ? { digest } : tag ? { tag } : {}) })
  const domains = host.replace(/:\d+$/, '').split('.')
  const wildcards = domains.slice(1).map((_, index) => `*.${domains.slice(index + 1).join('.')}`)
  return [image, ...parents(`${host}/${repository}`), ...wildcards]
}

/** A path and everything above it. */
function parents(path: string): string[] {
  const parts = path.split('/')
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('/'))
}
