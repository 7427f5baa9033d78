import { BootableError, memorySource, toHex, utf8 } from '@bootable/bytes'
import { blobOf, type Descriptor, type Digest, digestBytes, isDigest, MEDIA_TYPE } from '@bootable/oci'
import { deleteManifestAs, sendDelete } from './delete-request.ts'
import { checkReference, fetchManifest } from './manifest.ts'
import type { RepositoryName } from './name.ts'
import { putBlob } from './push-blob.ts'
import { readOwnManifest } from './push-manifest.ts'
import { putManifestAs } from './put-manifest-request.ts'
import { hasReferrersApi } from './referrers.ts'
import { updateReferrersTag } from './referrers-tag.ts'
import type { Session } from './session.ts'

/** How registries say that they delete no tags: docker-registry 2.8 and others, one way each. */
const NO_TAG_DELETION = [400, 405, 415, 501]

const UNREADABLE = ['MEDIA_TYPE_UNSUPPORTED', 'FORMAT_INVALID', 'DIGEST_MISMATCH', 'LIMIT_EXCEEDED']

/** Deletes what a tag, a digest or a descriptor names: see `ImageStore.delete`. */
export async function deleteTarget(
  session: Session,
  name: RepositoryName,
  target: Descriptor | string,
  signal?: AbortSignal,
): Promise<void> {
  const reference = typeof target === 'string' ? checkReference(target) : target.digest
  if (isDigest(reference)) return deleteManifest(session, name, reference, signal)
  return deleteTag(session, name, reference, signal)
}

/** Deletes a blob. Manifests that need it are not looked for. */
export async function deleteBlob(
  session: Session,
  name: RepositoryName,
  { digest }: Descriptor,
  signal?: AbortSignal,
): Promise<void> {
  const codes = { 404: 'BLOB_UNKNOWN', 405: 'UNSUPPORTED' }
  await sendDelete(session, name, { path: `blobs/${digest}`, codes, signal })
}

/** What it referred to no longer lists it: where the registry does not see to that itself, we do. */
async function deleteManifest(
  session: Session,
  name: RepositoryName,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<void> {
  const subject = await subjectOf(session, name, digest, signal)
  await deleteManifestAs(session, name, digest, signal)
  if (!subject || (await hasReferrersApi(session, name, subject.digest, signal))) return
  const without = (entries: readonly Descriptor[]): readonly Descriptor[] | undefined => {
    const rest = entries.filter((entry) => entry.digest !== digest)
    return rest.length < entries.length ? rest : undefined
  }
  await updateReferrersTag(session, name, subject.digest, without, signal)
}

/**
 * Read where it is deleted, not where it is pulled from. What cannot be read (a schema 1 of old, a damaged
 * one) refers to nothing, and can be deleted none the less.
 */
async function subjectOf(
  session: Session,
  name: RepositoryName,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<Descriptor | undefined> {
  try {
    return (await fetchManifest(session, name, digest, signal)).manifest.value.subject
  } catch (error) {
    if (BootableError.is(error) && UNREADABLE.includes(error.code)) return undefined
    throw error
  }
}

/**
 * Deletes a tag. Registries that cannot (distribution 2) forget a tag together with its manifest, so that the
 * tag is moved to a manifest that nobody needs, and that one deleted: the trick is regclient's.
 */
async function deleteTag(
  session: Session,
  name: RepositoryName,
  tag: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const path = `manifests/${tag}`
  const codes = { 404: 'REFERENCE_UNKNOWN' }
  const status = await sendDelete(session, name, { path, codes, expected: NO_TAG_DELETION, signal })
  if (!NO_TAG_DELETION.includes(status)) return
  // Before the tag moves: is there one?
  const { manifest } = await fetchManifest(session, name, tag, signal)
  const { runtime } = session
  const config = { mediaType: MEDIA_TYPE.empty, digest: digestBytes(utf8('{}'), { runtime }), size: 2 }
  await putBlob(session, name, blobOf(memorySource(utf8('{}'))), {
    descriptor: config,
    ...(signal && { signal }),
  })
  const annotations = { 'org.opencontainers.image.description': `placeholder ${randomText()}` }
  const placeholder = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers: [], annotations }
  const raw = utf8(JSON.stringify({ ...placeholder, artifactType: 'application/vnd.bootable.deleted.v1' }))
  const unneeded = readOwnManifest(session, raw, { mediaType: MEDIA_TYPE.manifest })
  await putManifestAs(session, name, unneeded, tag, { signal })
  try {
    await deleteManifestAs(session, name, unneeded.descriptor.digest, signal)
  } catch (error) {
    // It deletes nothing at all. Not with the signal: the tag must not stay where it is now.
    await putManifestAs(session, name, manifest, tag).catch(() => {
      const { digest } = manifest.descriptor
      throw strayed(session, error, `${tag} stands for a placeholder now: tag ${digest} with it again`)
    })
    throw error
  }
}

/** What a deletion failed with, and what is to be done because the tag could not be put back either. */
function strayed(session: Session, error: unknown, hint: string): unknown {
  session.emit({ type: 'warning', message: hint })
  if (!BootableError.is(error)) return error
  const { code, message, details } = error
  return new BootableError(code, message, { details, hint, cause: error })
}

/** Equal ones would be one manifest, under the tag of another deletion as well. */
function randomText(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(16)))
}
