import { BootableError } from '@bootable/bytes'
import type { OstreeErrorCode } from '../errors.ts'
import { formatKeyFile } from '../sysroot/key-file.ts'
import {
  formatTargetImage,
  parseTargetReference,
  type SignaturePolicy,
  type TargetReference,
} from '../sysroot/target-reference.ts'

/** Starts of a reference that says itself how it is verified. */
const SCHEMES = /^ostree-(?:unverified-registry|unverified-image|image-signed|remote-registry|remote-image):/

/**
 * The reference that a person means: `quay.io/example/os:latest` and `docker://…` or `registry:…` for a
 * registry, `oci:…`, `oci-archive:…`, `containers-storage:…` and the other transports of containers, or
 * any form that an origin may have (`ostree-image-signed:docker://…`).
 *
 * @param signature of references that do not say it themselves. @defaultValue unverified
 * @throws BootableError `OSTREE_INVALID_REFERENCE`
 */
export function typedTargetReference(
  text: string,
  signature: SignaturePolicy = { type: 'unverified' },
): TargetReference {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: an origin is read by lines
  if (/[\x00-\x20\x7f]/.test(text)) throw unspeakable(text)
  if (SCHEMES.test(text)) return parseTargetReference(text)
  // A name that is no transport has its colon before a tag or a port: it is a registry's.
  const transport =
    /^(?:registry|docker|oci|oci-archive|docker-archive|docker-daemon|containers-storage|dir):/
  const image = transport.test(text) ? text : `docker://${text}`
  return { ...parseTargetReference(`ostree-unverified-image:${image}`), signature }
}

/** The text of `container-image-reference`, as bootc writes it. */
export function formatTargetReference(target: TargetReference): string {
  const { signature, transport, name } = target
  const image = formatTargetImage(target)
  switch (signature.type) {
    case 'unverified':
      return transport === 'docker'
        ? `ostree-unverified-registry:${name}`
        : `ostree-unverified-image:${image}`
    case 'container-policy':
      return `ostree-image-signed:${image}`
    case 'ostree-remote':
      return `ostree-remote-image:${signature.remote}:${image}`
  }
}

/** The `.origin` file of a deployment that follows a container image. */
export function formatOrigin(target: TargetReference): string {
  return formatKeyFile({ origin: { 'container-image-reference': formatTargetReference(target) } })
}

function unspeakable(text: string): BootableError<OstreeErrorCode> {
  return new BootableError(
    'OSTREE_INVALID_REFERENCE',
    `no reference to an image: ${JSON.stringify(text.slice(0, 200))} holds blanks or control characters`,
    { details: { reference: text.slice(0, 1000) } },
  )
}
