import type { Digest } from '@bootable/oci'
import type { RepositoryName } from './name.ts'
import type { RepositoryRequest, Session } from './session.ts'

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

/** Sends a DELETE; {@link RepositoryRequest.expected} says which refusals are no error here. */
export async function sendDelete(
  session: Session,
  name: RepositoryName,
  request: Pick<RepositoryRequest, 'path' | 'codes' | 'signal'> & { readonly expected?: readonly number[] },
): Promise<number> {
  const { expected = [], ...rest } = request
  const response = await session.request(name, {
    ...rest,
    method: 'DELETE',
    action: 'delete',
    // 202 is the specification's; the others are found as well.
    expected: [202, 200, 204, ...expected],
  })
  await response.cancel()
  return response.status
}
