import { collect, decodeUtf8, MiB } from '@bootable/bytes'
import { isTag } from '@bootable/oci'
import { registryError } from '../errors.ts'
import { linksOf } from '../http/headers.ts'
import { checkNextPage } from '../http/policy.ts'
import { redactUrl } from '../http/redact.ts'
import type { FollowedResponse } from '../http/redirect.ts'
import type { RepositoryName } from './name.ts'
import type { Session } from './session.ts'

/** ECR refuses larger pages. */
const PAGE_SIZE = 1000
const MAX_PAGES = 1000
const MAX_PAGE = 16 * MiB

/**
 * The tags of a repository, page after page: distribution-spec, "Listing Tags". Only a `Link` says that there
 * is more: a full page is no reason to ask again, and a short one no reason to stop.
 */
export async function* listTags(
  session: Session,
  name: RepositoryName,
  signal?: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  let path: string | URL = `tags/list?n=${PAGE_SIZE}`
  const visited = new Set<string>()
  for (;;) {
    const request = { method: 'GET', path, action: 'pull', expected: [200], signal } as const
    const page = await session.read(name, request, async (response) => ({
      tags: await readTags(response),
      next: linksOf(response.headers).find(({ relation }) => relation === 'next'),
      url: response.url,
    }))
    yield* page.tags
    if (!page.next) return
    const url = checkNextPage(page.next.target, page.url)
    if (visited.has(url.href) || visited.size >= MAX_PAGES) {
      throw registryError('PROTOCOL', `the list of tags does not end after ${visited.size + 1} pages`, {
        method: 'GET',
        url: redactUrl(url),
      })
    }
    visited.add(url.href)
    path = url
  }
}

async function readTags(response: FollowedResponse): Promise<string[]> {
  const bytes = await collect(response.body, MAX_PAGE)
  try {
    const { tags } = JSON.parse(decodeUtf8(bytes) ?? '') as { tags?: unknown }
    // distribution writes `null` for a repository whose last tag was deleted.
    if (tags === null) return []
    if (Array.isArray(tags)) return tags.filter((tag): tag is string => typeof tag === 'string' && isTag(tag))
  } catch {
    // Falls through to the error of a document of another shape.
  }
  throw registryError('PROTOCOL', 'the answer is not a list of tags', {
    method: 'GET',
    url: redactUrl(response.url),
    status: response.status,
  })
}
