import { utf8 } from '@bootable/bytes'
import {
  createManifest,
  type Descriptor,
  type Digest,
  type ImageIndex,
  isIndex,
  MEDIA_TYPE,
  referrersTag,
} from '@bootable/oci'
import { registryError } from '../errors.ts'
import { deleteManifestAs } from './delete-request.ts'
import { fetchManifest } from './manifest.ts'
import type { RepositoryName } from './name.ts'
import { putManifestAs } from './put-manifest-request.ts'
import type { Session } from './session.ts'
import { statusOf } from './status.ts'

/** How often a list is read again because somebody else has changed it. */
const MAX_CONFLICTS = 5

/** The index under a referrers tag. */
export interface TaggedReferrers {
  readonly digest: Digest
  readonly index: ImageIndex
  /** For `If-Match`, where the registry gives one. */
  readonly etag: string | null
}

/**
 * Reads the index under the referrers tag of a manifest: distribution-spec, "Referrers Tag Schema".
 * `undefined` where there is none. GitLab takes such a tag for the manifest itself.
 * @param pull for whoever only reads; who changes the list reads it where it is written
 * @throws BootableError `PROTOCOL` for a tag that is an image: nobody overwrites that
 */
export async function readReferrersTag(
  session: Session,
  name: RepositoryName,
  subject: Digest,
  signal?: AbortSignal,
  pull?: 'list',
): Promise<TaggedReferrers | undefined> {
  const tag = referrersTag(subject)
  try {
    const { manifest, headers } = await fetchManifest(session, name, tag, signal, pull)
    const { digest } = manifest.descriptor
    if (digest === subject) return undefined
    if (isIndex(manifest)) return { digest, index: manifest.value, etag: headers.get('etag') }
  } catch (error) {
    if (statusOf(error) === 404) return undefined
    throw error
  }
  throw registryError('PROTOCOL', `the tag ${tag} of ${name.host}/${name.repository} is an image, not a list`)
}

/** Updates under way, one after the other for each tag. */
const updates = new WeakMap<Session, Map<string, Promise<unknown>>>()

/**
 * Changes the list under a referrers tag: reads it, and writes it on the condition that nobody else has
 * (`If-Match`, where the registry gives an ETag). An empty list is deleted.
 * @param change gives the new entries, or `undefined` to leave it as it is
 */
export async function updateReferrersTag(
  session: Session,
  name: RepositoryName,
  subject: Digest,
  change: (entries: readonly Descriptor[]) => readonly Descriptor[] | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const running = updates.get(session) ?? new Map<string, Promise<unknown>>()
  updates.set(session, running)
  const key = `${name.server}/${name.repository}:${referrersTag(subject)}`
  const before = running.get(key) ?? Promise.resolve()
  const update = before.then(() => updateOnce(session, name, subject, change, signal))
  const settled = update.catch(() => {})
  running.set(key, settled)
  await update.finally(() => {
    if (running.get(key) === settled) running.delete(key)
  })
}

async function updateOnce(
  session: Session,
  name: RepositoryName,
  subject: Digest,
  change: (entries: readonly Descriptor[]) => readonly Descriptor[] | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let conflicts = 0; ; conflicts++) {
    const current = await readReferrersTag(session, name, subject, signal)
    const manifests = change(current?.index.manifests ?? [])
    if (!manifests) return
    if (manifests.length === 0 && current) return deleteManifestAs(session, name, current.digest, signal)
    const { mediaType = MEDIA_TYPE.index, ...index } = current?.index ?? { schemaVersion: 2 }
    const raw = utf8(JSON.stringify({ ...index, mediaType, manifests }))
    const headers = current?.etag ? { 'If-Match': current.etag } : {}
    const list = createManifest(raw, { mediaType, runtime: session.runtime })
    try {
      await putManifestAs(session, name, list, referrersTag(subject), { signal, headers })
      return
    } catch (error) {
      if (statusOf(error) !== 412 || conflicts >= MAX_CONFLICTS) throw error
    }
  }
}
