import { type ImageVerification, type Policy, verifyImage } from '@bootable/signatures'
import { hostPolicy, readPolicy, verifyOptions } from './image-policy.ts'
import { type OpenImageSourceOptions, openImageSource } from './open-image.ts'

/** Options of {@link verifyImageSource}. */
export interface VerifyImageSourceOptions extends OpenImageSourceOptions {
  /** A policy, or the path of a policy.json. @defaultValue the one that podman uses on this host */
  readonly policy?: Policy | string
}

/**
 * Asks a policy about the image at an address, as `openImageSource` reads it: every signature that was looked
 * at, every check and its outcome. A refusal is a result here, not an error.
 *
 * @throws BootableError of the address, the store, the image and the policy
 */
export async function verifyImageSource(
  text: string,
  options: VerifyImageSourceOptions = {},
): Promise<ImageVerification> {
  const { policy: given, ...opening } = options
  const policy = (await readPolicy(given)) ?? (await hostPolicy())
  const { image, source, close } = await openImageSource(text, opening)
  try {
    return await verifyImage(image, policy, await verifyOptions(source, opening.signal))
  } finally {
    await close()
  }
}
