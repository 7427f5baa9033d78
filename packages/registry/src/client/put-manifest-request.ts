import type { Manifest } from '@bootable/oci'
import { compareDigestHeader } from './manifest.ts'
import type { RepositoryName } from './name.ts'
import type { Session } from './session.ts'

/** What a registry answered to a manifest. */
export interface PutManifestAnswer {
  /** `OCI-Subject`: the registry says that it lists the manifest among the referrers of this one. */
  readonly subject: string | null
}

/** Puts a manifest under one name: distribution-spec, "Pushing Manifests". */
export async function putManifestAs(
  session: Session,
  name: RepositoryName,
  { raw, mediaType, descriptor }: Manifest,
  reference: string,
  options: { readonly signal?: AbortSignal | undefined; readonly headers?: Record<string, string> } = {},
): Promise<PutManifestAnswer> {
  const { signal, headers } = options
  const response = await session.request(name, {
    method: 'PUT',
    path: `manifests/${reference}`,
    headers: { 'Content-Type': mediaType, ...headers },
    body: raw,
    action: 'push',
    expected: [201, 200, 202, 204],
    signal,
  })
  await response.cancel()
  compareDigestHeader(session, name, reference, response.headers, descriptor)
  return { subject: response.headers.get('oci-subject') }
}
