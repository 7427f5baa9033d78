import { collect } from '@bootable/bytes'
import { type ImageStore, listContent } from '@bootable/oci'

/**
 * Puts what a store holds under a name into a registry that asks for no login, by plain requests.
 * @param repository such as `http://127.0.0.1:5000/v2/lab/name`
 */
export async function pushStore(
  store: ImageStore,
  reference: string,
  repository: string,
  tag: string,
): Promise<void> {
  const { manifests, blobs, root } = await listContent({ store, reference })
  for (const blob of blobs) {
    const started = await fetch(`${repository}/blobs/uploads/`, { method: 'POST' })
    const target = new URL(started.headers.get('location') as string, repository)
    target.searchParams.set('digest', blob.digest)
    await put(target, 'application/octet-stream', await collect(await store.openBlob(blob)))
  }
  for (const { raw, mediaType, descriptor } of manifests) {
    await put(`${repository}/manifests/${raw === root.raw ? tag : descriptor.digest}`, mediaType, raw)
  }
}

async function put(url: string | URL, type: string, bytes: Uint8Array): Promise<void> {
  const headers = { 'Content-Type': type }
  const { status } = await fetch(url, { method: 'PUT', headers, body: Uint8Array.from(bytes) })
  if (status !== 201) throw new Error(`the registry answered ${status} to ${url}`)
}
