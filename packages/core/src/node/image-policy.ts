import { realpath } from 'node:fs/promises'
import { parseReference } from '@bootable/oci'
import {
  enforcePolicy,
  type ImageLocation,
  type Policy,
  type SignedImage,
  type VerifyImageOptions,
} from '@bootable/signatures'
import type { ImageSource } from '../source.ts'

/** A policy, or the one in a file. */
export async function readPolicy(policy: Policy | string | undefined): Promise<Policy | undefined> {
  if (typeof policy !== 'string') return policy
  const { loadPolicy } = await import('@bootable/signatures/node')
  return loadPolicy(policy)
}

/** The policy that podman uses on this host. @throws BootableError `POLICY_UNREADABLE` */
export async function hostPolicy(): Promise<Policy> {
  const { loadPolicy } = await import('@bootable/signatures/node')
  return loadPolicy()
}

/** Refuses an image that the policy does not accept. @throws BootableError of `enforcePolicy` */
export async function enforceImagePolicy(
  image: SignedImage,
  source: ImageSource,
  policy: Policy,
  signal: AbortSignal | undefined,
): Promise<void> {
  await enforcePolicy(image, policy, await verifyOptions(source, signal))
}

/**
 * What a policy has to know of an image: scopes speak of names with their host, and of paths without links.
 * The libraries of sigstore are loaded here, where a policy is given, and nowhere else.
 */
export async function verifyOptions(
  source: ImageSource,
  signal: AbortSignal | undefined,
): Promise<VerifyImageOptions> {
  const { sigstoreVerifier } = await import('@bootable/signatures/node')
  const location = await locate(source)
  return { location, verifier: sigstoreVerifier(), ...(signal && { signal }) }
}

async function locate(source: ImageSource): Promise<ImageLocation> {
  if (source.transport === 'docker') {
    return { transport: source.transport, reference: parseReference(source.reference) }
  }
  if ('path' in source) return { transport: source.transport, path: await realpath(source.path) }
  return { transport: source.transport }
}
