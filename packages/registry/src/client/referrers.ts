import {
  type Descriptor,
  type Digest,
  MEDIA_TYPE,
  parseIndex,
  type ReferrersOptions,
  readDocument,
  referrerEntry,
} from '@bootable/oci'
import { registryError } from '../errors.ts'
import { mediaTypeOf } from '../http/headers.ts'
import type { FollowedResponse } from '../http/redirect.ts'
import { getManifest } from './manifest.ts'
import type { RepositoryName } from './name.ts'
import { readPages } from './pages.ts'
import { readReferrersTag } from './referrers-tag.ts'
import type { RepositoryRequest, Session } from './session.ts'
import { statusOf } from './status.ts'

/** Referrers of one manifest that are listed; there are a handful in life. */
const MAX_REFERRERS = 10_000

/** Which repositories that are written to answer to the referrers API, as far as they were asked. */
const answers = new WeakMap<Session, Map<string, boolean>>()

/**
 * What refers to a manifest: distribution-spec, "Listing Referrers"; where that API is missing, what the
 * index under the referrers tag lists and what itself says that it refers to the manifest. As tags, they are
 * listed where the repository is read from.
 */
export async function* listReferrers(
  session: Session,
  name: RepositoryName,
  subject: Descriptor,
  { artifactType, signal }: ReferrersOptions = {},
): AsyncGenerator<Descriptor, void, undefined> {
  let count = 0
  const request = { ...referrersRequest(subject.digest, artifactType, signal), pull: 'list' } as const
  const read = (response: FollowedResponse): Promise<Page | undefined> => readPage(response)
  for await (const page of readPages(session, name, request, 'referrers', read)) {
    if (!page) return yield* listTagged(session, name, subject, artifactType, signal)
    for (const entry of page.entries) {
      if (++count > MAX_REFERRERS) throw tooMany(subject)
      const isWanted = artifactType === undefined || page.isFiltered || entry.artifactType === artifactType
      if (isWanted) yield entry
    }
  }
}

/**
 * Whether a repository that is written to has the referrers API, and not only says so: ECR has sent
 * `OCI-Subject` without it.
 */
export async function hasReferrersApi(
  session: Session,
  name: RepositoryName,
  subject: Digest,
  signal?: AbortSignal,
): Promise<boolean> {
  const known = answers.get(session) ?? new Map<string, boolean>()
  answers.set(session, known)
  const key = `${name.server}/${name.repository}`
  const answer = known.get(key)
  if (answer !== undefined) return answer
  const page = await session.read(name, referrersRequest(subject, undefined, signal), readPage)
  known.set(key, page !== undefined)
  return page !== undefined
}

interface Page {
  readonly entries: readonly Descriptor[]
  /** The registry has left out other artifact types itself. */
  readonly isFiltered: boolean
}

function referrersRequest(
  subject: Digest,
  artifactType: string | undefined,
  signal: AbortSignal | undefined,
): RepositoryRequest {
  const query = artifactType === undefined ? '' : `?${new URLSearchParams({ artifactType })}`
  return {
    method: 'GET',
    path: `referrers/${subject}${query}`,
    headers: { Accept: MEDIA_TYPE.index },
    action: 'pull',
    expected: [200, 400, 404, 405, 406, 501],
    signal,
  }
}

/** `undefined` for an answer that is none: some servers say 200 to every address. */
async function readPage(response: FollowedResponse): Promise<Page | undefined> {
  if (response.status !== 200 || mediaTypeOf(response.headers) !== MEDIA_TYPE.index) {
    await response.cancel()
    return undefined
  }
  const filters = (response.headers.get('oci-filters-applied') ?? '').split(',').map((each) => each.trim())
  const { manifests } = parseIndex(await readDocument(response.body))
  return { entries: manifests, isFiltered: filters.includes('artifactType') }
}

async function* listTagged(
  session: Session,
  name: RepositoryName,
  subject: Descriptor,
  artifactType: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Descriptor, void, undefined> {
  const tagged = await readReferrersTag(session, name, subject.digest, signal, 'list')
  const entries = tagged?.index.manifests ?? []
  if (entries.length > MAX_REFERRERS) throw tooMany(subject)
  for (const entry of entries) {
    if (artifactType !== undefined && (entry.artifactType ?? artifactType) !== artifactType) continue
    // Whoever may push may write this list, so that each is asked what it refers to.
    const manifest = await getManifest(session, name, entry, signal).catch((error: unknown) => {
      if (statusOf(error) === 404) return undefined
      throw error
    })
    if (manifest?.value.subject?.digest !== subject.digest) continue
    const own = referrerEntry(manifest)
    if (artifactType === undefined || own.artifactType === artifactType) yield own
  }
}

function tooMany({ digest }: Descriptor): Error {
  return registryError('PROTOCOL', `more than ${MAX_REFERRERS} manifests refer to ${digest}`)
}
