import type { OperationOptions } from '@bootable/bytes'
import { BootableError } from '@bootable/bytes'
import type { Descriptor, ImageStore, Manifest } from '@bootable/oci'

/** What stores throw for a tag that is not there. */
const ABSENT = ['REFERENCE_UNKNOWN', 'MANIFEST_UNKNOWN', 'NOT_FOUND']

/** A manifest, `undefined` where there is none. Any other failure is one: no signature is overlooked. */
export async function getIfPresent(
  store: ImageStore,
  target: Descriptor | string,
  options: OperationOptions,
): Promise<Manifest | undefined> {
  try {
    return await store.getManifest(target, options)
  } catch (error) {
    if (BootableError.is(error) && ABSENT.includes(error.code)) return undefined
    throw error
  }
}
