import type { Blueprint } from '@bootable/blueprint'
import type { Runtime } from '@bootable/bytes'
import { toHex, utf8 } from '@bootable/bytes'
import type { Image } from '@bootable/oci'

/**
 * The seed of a machine when nobody gives one: a digest over the image's manifest and the blueprint. The
 * same image with the same blueprint gives the same uuids and salts, and so the same bytes.
 *
 * Passphrases of encrypted volumes are left out: the seed stands in plans, where a quick digest would let
 * everybody try passphrases.
 */
export function deriveSeed(image: Image, blueprint: Blueprint | undefined, runtime: Runtime): string {
  const text = `${image.manifest.descriptor.digest}\n${JSON.stringify(blueprint ?? null, withoutPassphrases)}`
  return toHex(runtime.createHash('sha256').update(utf8(text)).digest())
}

function withoutPassphrases(key: string, value: unknown): unknown {
  return key === 'passphrase' ? undefined : value
}

/** When an image says that it was made, in seconds since 1970; 0 where it does not say. */
export function imageTime(image: Image): number {
  const created = Date.parse(image.config.value.created ?? '')
  return Number.isNaN(created) ? 0 : Math.max(0, Math.floor(created / 1000))
}
