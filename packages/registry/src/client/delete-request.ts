import { BootableError } from '@bootable/bytes'
import type { Digest } from '@bootable/oci'
import type { RepositoryName } from './name.ts'
import type { RepositoryRequest, Session } from './session.ts'
import { statusOf } from './status.ts'

/** Failures that leave open what has come of a request. */
const LOST: ReadonlySet<string> = new Set(['NETWORK', 'TIMEOUT', 'SERVER_ERROR'])

/** Deletes one manifest, or one blob below `blobs`: distribution-spec, "Content Management". */
export async function deleteManifestAs(
  session: Session,
  name: RepositoryName,
  digest: Digest,
  signal?: AbortSignal,
): Promise<void> {
  await sendDelete(session, name, {
    path: `manifests/${digest}`,
    codes: { 404: 'MANIFEST_UNKNOWN', 405: 'UNSUPPORTED' },
    signal,
  })
}

/**
 * Sends a DELETE; {@link RepositoryRequest.expected} says which refusals are no error here. A 404 is none
 * either after a try whose answer was lost: that one may have deleted it.
 * @returns the status of the last answer
 */
export async function sendDelete(
  session: Session,
  name: RepositoryName,
  request: Pick<RepositoryRequest, 'path' | 'codes' | 'signal'> & { readonly expected?: readonly number[] },
): Promise<number> {
  const { expected = [], signal, ...rest } = request
  const backoff = session.backoff(signal, () => 0)
  let isUncertain = false
  for (;;) {
    signal?.throwIfAborted()
    try {
      const response = await session.ask(name, {
        ...rest,
        method: 'DELETE',
        action: 'delete',
        // 202 is the specification's; the others are found as well.
        expected: [202, 200, 204, ...expected],
        signal,
      })
      await response.cancel()
      return response.status
    } catch (error) {
      if (isUncertain && statusOf(error) === 404) return 404
      isUncertain ||= BootableError.is(error) && LOST.has(error.code)
      await backoff.failed(error)
    }
  }
}
