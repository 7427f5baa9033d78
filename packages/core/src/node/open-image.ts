import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BootableError, FormatError } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { type Image, type ImageStore, type OpenImageOptions, openImage } from '@bootable/oci'
import {
  openContainersStorage,
  openDockerArchive,
  openDockerDaemon,
  openLayout,
  openOciArchive,
} from '@bootable/oci/node'
import { type RegistryOptions, registryStore } from '@bootable/registry'
import { nodeRegistryOptions } from '@bootable/registry/node'
import type { Policy } from '@bootable/signatures'
import type { CoreErrorCode } from '../errors.ts'
import { type ImageSource, parseImageSource, storeReference } from '../source.ts'
import { enforceImagePolicy, readPolicy } from './image-policy.ts'

/** Options of {@link openImageSource}. */
export interface OpenImageSourceOptions extends OpenImageOptions {
  /** Changes to what `nodeRegistryOptions` gives, such as `insecure`. */
  readonly registry?: RegistryOptions
  /**
   * Refuses an image that it does not accept: a policy, or the path of a policy.json.
   * @defaultValue none: any image will do
   */
  readonly policy?: Policy | string
}

/** A place that holds images, and what was asked for in it. */
export interface OpenedStore {
  readonly store: ImageStore
  readonly source: ImageSource
}

/** An image and where it was found. */
export interface OpenedImage {
  readonly image: Image
  readonly source: ImageSource
  /** Closes files and connections; the image cannot be read any more. */
  close(): Promise<void>
}

/**
 * Opens an image by its address, as {@link parseImageSource} reads it; the bare name of a layout folder
 * or of an archive is understood as well.
 *
 * @throws BootableError of the address, the store and the image; of `enforcePolicy`, when only manifests,
 *   the configuration and signatures have been read
 */
export async function openImageSource(
  text: string,
  options: OpenImageSourceOptions = {},
): Promise<OpenedImage> {
  // A policy that cannot be read is no reason to ask a registry first.
  const policy = await readPolicy(options.policy)
  const { store, source } = await openStoreOf(text, options)
  const close = async (): Promise<void> => store.close?.()
  try {
    const image = await openImage(store, storeReference(source), options)
    if (policy) await enforceImagePolicy(image, source, policy, options.signal)
    return { image, source, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Opens the place that a text names which {@link openImageSource} understands. */
export async function openStoreOf(
  text: string,
  options: Pick<OpenImageSourceOptions, 'registry'> = {},
): Promise<OpenedStore> {
  const source = (await recogniseFile(text)) ?? parseImageSource(text)
  return { store: await openImageStore(source, options), source }
}

/** Opens the place that an address names. @throws BootableError of the address and the store */
export async function openImageStore(
  source: ImageSource,
  options: Pick<OpenImageSourceOptions, 'registry'> = {},
): Promise<ImageStore> {
  switch (source.transport) {
    case 'docker':
      return registryStore(source.reference, { ...nodeRegistryOptions(), ...options.registry })
    case 'oci':
      return openLayout(source.path, { runtime: nodeRuntime })
    case 'oci-archive':
      return openOciArchive(source.path, { runtime: nodeRuntime })
    case 'docker-archive':
      return openDockerArchive(source.path, { runtime: nodeRuntime })
    case 'containers-storage':
      return openContainersStorage({
        runtime: nodeRuntime,
        ...(source.storage !== undefined && { storage: source.storage }),
      })
    case 'docker-daemon':
      return openDockerDaemon(source.reference, { runtime: nodeRuntime })
  }
}

/** `image.tar` and `./layout` without a transport: what they are shows in what they hold. */
async function recogniseFile(text: string): Promise<ImageSource | undefined> {
  const info = await stat(text).catch(() => undefined)
  if (!info) {
    if (!/^\.{0,2}[\\/]/.test(text)) return undefined
    throw new BootableError<CoreErrorCode>('SOURCE_INVALID', `there is no file ${text}`, {
      details: { source: text },
    })
  }
  if (info.isDirectory()) {
    const layout = await stat(join(text, 'oci-layout')).catch(() => undefined)
    return layout && { transport: 'oci', path: text, reference: '' }
  }
  return { transport: await archiveTransport(text), path: text, reference: '' }
}

/** An archive is Docker's where it has no `oci-layout`. Newer versions of `docker save` write both. */
async function archiveTransport(path: string): Promise<'oci-archive' | 'docker-archive'> {
  const isOci = await canOpen(openOciArchive(path))
  return !isOci && (await canOpen(openDockerArchive(path))) ? 'docker-archive' : 'oci-archive'
}

async function canOpen(opening: Promise<ImageStore>): Promise<boolean> {
  try {
    const store = await opening
    await store.close?.()
    return true
  } catch (error) {
    if (error instanceof FormatError) return false
    throw error
  }
}
