import { nodeRuntime } from '@bootable/bytes/node'
import { diffImages, type FileChange, type ImageDifference } from '@bootable/oci'
import { temporaryLayerCache } from '@bootable/oci/node'
import { type OpenImageSourceOptions, openImageSource } from './open-image.ts'

/** Options of {@link diffImageSources}. */
export interface DiffImageSourcesOptions extends OpenImageSourceOptions {
  /** Compares modification times. @defaultValue true */
  readonly times?: boolean
}

/** Two images that were compared. */
export interface ComparedImages {
  readonly difference: Omit<ImageDifference, 'files'>
  /** The files that differ, sorted by path; layers are fetched for it. */
  files(): AsyncIterable<FileChange>
  /** Closes files and connections. */
  close(): Promise<void>
}

/**
 * Compares two images by their addresses, as `openImageSource` reads them.
 *
 * @throws BootableError of the addresses, the stores and the images
 */
export async function diffImageSources(
  before: string,
  after: string,
  options: DiffImageSourcesOptions = {},
): Promise<ComparedImages> {
  const { times = true, ...opening } = options
  const { signal, onProgress } = opening
  const left = await openImageSource(before, opening)
  const right = await openImageSource(after, opening).catch(async (error: unknown) => {
    await left.close()
    throw error
  })
  const cache = temporaryLayerCache()
  const { files, ...difference } = diffImages(left.image, right.image)
  return {
    difference,
    files: () =>
      files({
        cache,
        runtime: nodeRuntime,
        times,
        ...(signal && { signal }),
        ...(onProgress && { onProgress }),
      }),
    async close() {
      await cache.close()
      await right.close()
      await left.close()
    },
  }
}
