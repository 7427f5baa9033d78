import { collect, decodeUtf8, MiB } from '@bootable/bytes'
import { isTag } from '@bootable/oci'
import { registryError } from '../errors.ts'
import { redactUrl } from '../http/redact.ts'
import type { FollowedResponse } from '../http/redirect.ts'
import type { RepositoryName } from './name.ts'
import { PAGE_SIZE, readPages } from './pages.ts'
import type { Session } from './session.ts'

const MAX_PAGE = 16 * MiB
/** distribution's scope of the list of all repositories. */
const CATALOG_SCOPE = 'registry:catalog:*'
/** A repository name is at most 255 characters; `repository` of `parseReference` checks the rest. */
const REPOSITORY = /^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/

/** The tags of a repository: distribution-spec, "Listing Tags". */
export async function* listTags(
  session: Session,
  name: RepositoryName,
  signal?: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const path = `tags/list?n=${PAGE_SIZE}`
  const request = { method: 'GET', path, action: 'pull', pull: 'list', expected: [200], signal } as const
  const read = (response: FollowedResponse): Promise<string[]> => readNames(response, 'tags', isTag)
  for await (const page of readPages(session, name, request, 'tags', read)) yield* page
}

/** The repositories of a registry: distribution's `_catalog`, which large registries refuse. */
export async function* listRepositories(
  session: Session,
  host: RepositoryName,
  signal?: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const path = `/v2/_catalog?n=${PAGE_SIZE}`
  const request = {
    method: 'GET',
    path,
    action: 'pull',
    scope: CATALOG_SCOPE,
    expected: [200],
    signal,
  } as const
  const read = (response: FollowedResponse): Promise<string[]> =>
    readNames(response, 'repositories', (text) => text.length <= 255 && REPOSITORY.test(text))
  for await (const page of readPages(session, host, request, 'repositories', read)) yield* page
}

async function readNames(
  response: FollowedResponse,
  field: 'tags' | 'repositories',
  isName: (text: string) => boolean,
): Promise<string[]> {
  const bytes = await collect(response.body, MAX_PAGE)
  try {
    const { [field]: names } = JSON.parse(decodeUtf8(bytes) ?? '') as Record<string, unknown>
    // distribution writes `null` for a repository whose last tag was deleted.
    if (names === null) return []
    if (Array.isArray(names)) {
      return names.filter((each): each is string => typeof each === 'string' && isName(each))
    }
  } catch {
    // Falls through to the error of a document of another shape.
  }
  throw registryError('PROTOCOL', `the answer is not a list of ${field}`, {
    method: 'GET',
    url: redactUrl(response.url),
    status: response.status,
  })
}
