import {
  createManifest,
  type Descriptor,
  type Digest,
  isDigest,
  type Manifest,
  type PutManifestOptions,
  referrerEntry,
} from '@bootable/oci'
import { checkReference } from './manifest.ts'
import type { RepositoryName } from './name.ts'
import { type PutManifestAnswer, putManifestAs } from './put-manifest-request.ts'
import { hasReferrersApi } from './referrers.ts'
import { updateReferrersTag } from './referrers-tag.ts'
import type { Session } from './session.ts'

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

/**
 * Puts a manifest under its names. Where it refers to another one and the registry does not list that itself
 * (`OCI-Subject` and the referrers API: ECR has sent the one without the other), it is added to the list under
 * the referrers tag.
 */
export async function putManifest(
  session: Session,
  name: RepositoryName,
  raw: Uint8Array,
  options: PutManifestOptions,
): Promise<Descriptor> {
  const { signal } = options
  const manifest = readOwnManifest(session, raw, options)
  const { descriptor, value } = manifest
  const names = manifestNames(options, descriptor.digest)
  const answer = await putManifestNames(session, name, manifest, names, signal)
  const subject = value.subject?.digest
  if (subject === undefined) return descriptor
  if (answer.subject === subject && (await hasReferrersApi(session, name, subject, signal))) return descriptor
  const entry = referrerEntry(manifest)
  const withIt = (entries: readonly Descriptor[]): readonly Descriptor[] | undefined =>
    entries.some(({ digest }) => digest === entry.digest) ? undefined : [...entries, entry]
  await updateReferrersTag(session, name, subject, withIt, signal)
  return descriptor
}
