import { BootableError } from '@bootable/bytes'
import type { Descriptor } from '@bootable/oci'
import { checkForeignUrl } from '../http/policy.ts'
import type { FollowedResponse } from '../http/redirect.ts'
import type { RepositoryName } from './name.ts'
import type { Session } from './session.ts'

/** More places than that are nobody's honest list. */
const MAX_URLS = 8

/**
 * Asks for a layer at the `urls` of its descriptor, one after the other, after the registry had no copy:
 * image-spec, "Descriptors". They see no credentials and get no answer to a challenge; what they send is
 * verified like everything else.
 * @throws BootableError what the registry failed with where there is no such place, else that of the last one
 */
export async function requestForeign(
  session: Session,
  { server }: RepositoryName,
  { urls = [] }: Descriptor,
  asked: { readonly offset: number; readonly signal: AbortSignal | undefined; readonly error: unknown },
): Promise<FollowedResponse> {
  const { offset, signal } = asked
  let { error } = asked
  if (!session.foreignUrls || !BootableError.is(error, 'BLOB_UNKNOWN')) throw error
  const headers = offset > 0 ? { Range: `bytes=${offset}-` } : {}
  for (const url of urls.slice(0, MAX_URLS)) {
    try {
      return await session.fetch(checkForeignUrl(url, new URL(`https://${server}/`)), headers, signal)
    } catch (failure) {
      if (!BootableError.is(failure)) throw failure
      error = failure
    }
  }
  throw error
}
