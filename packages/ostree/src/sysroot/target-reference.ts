import { BootableError } from '@bootable/bytes'
import type { OstreeErrorCode } from '../errors.ts'

/** The transports of containers-transports(5) that ostree's containers know; `docker` is a registry. */
export type TargetTransport =
  | 'docker'
  | 'oci'
  | 'oci-archive'
  | 'docker-archive'
  | 'docker-daemon'
  | 'containers-storage'
  | 'dir'

/** How a machine makes sure that an image is the one that it should fetch. */
export type SignaturePolicy =
  /** As the machine's containers-policy.json(5) has it, which may allow anything. */
  | { readonly type: 'unverified' }
  /** As containers-policy.json(5) has it, whose default must not be to allow anything. */
  | { readonly type: 'container-policy' }
  /** The ostree commit in the image is signed with a key of this remote. */
  | { readonly type: 'ostree-remote'; readonly remote: string }

/** Where a machine fetches its next image: `container-image-reference` of an origin, taken apart. */
export interface TargetReference {
  readonly transport: TargetTransport
  /** What follows the transport: `quay.io/example/os:latest` for a registry, else a path or a name. */
  readonly name: string
  readonly signature: SignaturePolicy
}

const TRANSPORTS: readonly string[] = [
  'docker',
  'oci',
  'oci-archive',
  'docker-archive',
  'docker-daemon',
  'containers-storage',
  'dir',
] satisfies TargetTransport[]

/**
 * Reads `ostree-unverified-registry:quay.io/example/os:latest` and the other forms of ostree's container
 * references: `ostree-unverified-image:`, `ostree-image-signed:`, `ostree-remote-image:<remote>:` with a
 * transport, `ostree-remote-registry:<remote>:` without one.
 *
 * @throws BootableError `OSTREE_INVALID_REFERENCE`
 */
export function parseTargetReference(text: string): TargetReference {
  const [scheme, rest] = cut(text, text)
  switch (scheme) {
    case 'ostree-unverified-registry':
      return { ...parseImage(`docker://${rest}`, text), signature: { type: 'unverified' } }
    case 'ostree-unverified-image':
      return { ...parseImage(rest, text), signature: { type: 'unverified' } }
    case 'ostree-image-signed':
      return { ...parseImage(rest, text), signature: { type: 'container-policy' } }
    case 'ostree-remote-registry':
    case 'ostree-remote-image': {
      const [remote, image] = cut(rest, text)
      const address = scheme === 'ostree-remote-registry' ? `docker://${image}` : image
      return { ...parseImage(address, text), signature: { type: 'ostree-remote', remote } }
    }
    default:
      throw invalid(text, `${JSON.stringify(scheme)} is no scheme of ostree's`)
  }
}

/** The image of a reference as the container tools write it: `docker://quay.io/example/os:latest`. */
export function formatTargetImage({ transport, name }: Omit<TargetReference, 'signature'>): string {
  return transport === 'docker' ? `docker://${name}` : `${transport}:${name}`
}

/** `transport:name`, where a registry is `docker://name` or `registry:name`. */
function parseImage(image: string, text: string): Omit<TargetReference, 'signature'> {
  const [transport, rest] = cut(image, text)
  if (transport === 'registry') return { transport: 'docker', name: rest }
  if (!TRANSPORTS.includes(transport)) throw invalid(text, `${JSON.stringify(transport)} is no transport`)
  if (transport !== 'docker') return { transport: transport as TargetTransport, name: rest }
  if (!rest.startsWith('//') || rest.length === 2) throw invalid(text, 'a registry is written docker://')
  return { transport, name: rest.slice(2) }
}

/** Both sides of the first colon, neither of them empty. */
function cut(part: string, text: string): [before: string, after: string] {
  const colon = part.indexOf(':')
  if (colon > 0 && colon < part.length - 1) return [part.slice(0, colon), part.slice(colon + 1)]
  throw invalid(text, 'something is missing on one side of a colon')
}

function invalid(text: string, reason: string): BootableError<OstreeErrorCode> {
  const shown = JSON.stringify(text.slice(0, 200))
  return new BootableError('OSTREE_INVALID_REFERENCE', `no reference to an image: ${shown}: ${reason}`, {
    details: { reference: text.slice(0, 1000) },
    hint: 'such as ostree-unverified-registry:quay.io/example/os:latest',
  })
}
