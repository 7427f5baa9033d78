import {
  createManifest,
  type Descriptor,
  type Digest,
  isDigest,
  type Manifest,
  type PutManifestOptions,
} from '@bootable/oci'
import { checkReference, compareDigestHeader } from './manifest.ts'
import type { RepositoryName } from './name.ts'
import type { Session } from './session.ts'

/** What a registry answered to a manifest. */
export interface PutManifestAnswer {
  /** `OCI-Subject`: the registry says that it lists the manifest among the referrers of this one. */
  readonly subject: string | null
}

/** The names to put a manifest under: tags, or its digest. Checked before anything is sent. */
export function manifestNames({ reference = [] }: PutManifestOptions, own: Digest): readonly string[] {
  const names = typeof reference === 'string' ? [reference] : reference
  return names.length === 0 ? [own] : names.map(checkReference)
}

/**
 * Takes bytes for a manifest that is going to be stored under these names.
 * @throws BootableError `DIGEST_MISMATCH` for a digest that is not theirs; FormatError
 */
export function readOwnManifest(
  { runtime }: Session,
  raw: Uint8Array,
  { mediaType, reference = [] }: PutManifestOptions,
): Manifest {
  const digest = (typeof reference === 'string' ? [reference] : reference).find(isDigest)
  return createManifest(raw, { mediaType, runtime, ...(digest && { digest }) })
}

/** Puts a manifest under one name: distribution-spec, "Pushing Manifests". */
export async function putManifestAs(
  session: Session,
  name: RepositoryName,
  { raw, mediaType, descriptor }: Manifest,
  reference: string,
  options: { readonly signal?: AbortSignal | undefined; readonly headers?: Record<string, string> } = {},
): Promise<PutManifestAnswer> {
  const { signal, headers } = options
  const response = await session.request(name, {
    method: 'PUT',
    path: `manifests/${reference}`,
    headers: { 'Content-Type': mediaType, ...headers },
    body: raw,
    action: 'push',
    expected: [201, 200, 202, 204],
    signal,
  })
  await response.cancel()
  compareDigestHeader(session, name, reference, response.headers, descriptor)
  return { subject: response.headers.get('oci-subject') }
}

/** Puts a manifest under all of its names; the last one is put last. */
export async function putManifestNames(
  session: Session,
  name: RepositoryName,
  manifest: Manifest,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<PutManifestAnswer> {
  let subject: string | null = null
  for (const each of names) ({ subject } = await putManifestAs(session, name, manifest, each, { signal }))
  return { subject }
}

/** {@link putManifestNames} for a manifest that refers to no other one. */
export async function putManifest(
  session: Session,
  name: RepositoryName,
  raw: Uint8Array,
  options: PutManifestOptions,
): Promise<Descriptor> {
  const manifest = readOwnManifest(session, raw, options)
  const { descriptor } = manifest
  await putManifestNames(session, name, manifest, manifestNames(options, descriptor.digest), options.signal)
  return descriptor
}
