import { parseReference } from '@bootable/oci'
import { formatImageSource, type ImageSource } from '../source.ts'

/**
 * Where a machine looks for updates of the image that it was made of. What podman or Docker has on this host
 * is not on the machine, but its name most often tells the registry that it came from.
 */
export function updateAddress(source: ImageSource): string {
  const isLocal = source.transport === 'containers-storage' || source.transport === 'docker-daemon'
  if (!isLocal || !namesRegistry(source.reference)) return formatImageSource(source)
  return `docker://${source.reference}`
}

/** `localhost/name` is what podman calls an image that was built here. */
function namesRegistry(reference: string): boolean {
  try {
    const { host } = parseReference(reference)
    return host !== undefined && host !== 'localhost'
  } catch {
    return false
  }
}
