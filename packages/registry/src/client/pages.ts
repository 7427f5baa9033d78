import { registryError } from '../errors.ts'
import { linksOf } from '../http/headers.ts'
import { checkNextPage } from '../http/policy.ts'
import { redactUrl } from '../http/redact.ts'
import type { FollowedResponse } from '../http/redirect.ts'
import type { RepositoryName } from './name.ts'
import type { RepositoryRequest, Session } from './session.ts'

/** Entries of a page. ECR refuses more. */
export const PAGE_SIZE = 1000
const MAX_PAGES = 1000

/**
 * A list, page after page: distribution-spec, "Listing Tags" and "Listing Referrers". Only a `Link` says that
 * there is more: a full page is no reason to ask again, and a short one no reason to stop.
 * @param what the list is of, for messages
 * @throws BootableError `PROTOCOL` for a list without end, `POLICY` for a link to another origin
 */
export async function* readPages<T>(
  session: Session,
  name: RepositoryName,
  first: RepositoryRequest,
  what: string,
  readPage: (response: FollowedResponse) => Promise<T>,
): AsyncGenerator<T, void, undefined> {
  let request = first
  const visited = new Set<string>()
  for (;;) {
    const page = await session.read(name, request, async (response) => ({
      value: await readPage(response),
      next: linksOf(response.headers).find(({ relation }) => relation === 'next'),
      url: response.url,
      nearest: response.nearest,
    }))
    yield page.value
    if (!page.next) return
    const url = checkNextPage(page.next.target, page.url)
    if (visited.has(url.href) || visited.size >= MAX_PAGES) {
      throw registryError('PROTOCOL', `the list of ${what} does not end after ${visited.size + 1} pages`, {
        method: 'GET',
        url: redactUrl(url),
      })
    }
    visited.add(url.href)
    request = { ...first, path: url, nearest: page.nearest }
  }
}
