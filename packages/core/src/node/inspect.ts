import type { OperationOptions } from '@bootable/bytes'
import { FormatError } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { openImage } from '@bootable/oci'
import { temporaryLayerCache } from '@bootable/oci/node'
import { type DiskReport, describeDisk, openedDiskFile } from '../inspect/disk.ts'
import { type ImageReport, inspectImage } from '../inspect/image.ts'
import { storeReference } from '../source.ts'
import { isDiskFile, noDisk, type OpenedDiskPath, openCarriedDisk, openDiskPath } from './open-disk.ts'
import { type OpenImageSourceOptions, openStoreOf } from './open-image.ts'

/** Options of {@link inspectFile}. */
export interface InspectFileOptions extends OperationOptions, Omit<OpenImageSourceOptions, 'policy'> {
  /** Reads the layers of an image as well. @defaultValue for images in files, not for those in registries */
  readonly layers?: boolean
}

/**
 * Describes what a name stands for: a disk file, an archive or layout, or an image's address. An image that
 * carries a disk is described as that disk.
 *
 * @throws BootableError
 */
export async function inspectFile(
  subject: string,
  options: InspectFileOptions = {},
): Promise<DiskReport | ImageReport> {
  if (await isDiskFile(subject)) return reportDisk(subject, await openDiskPath(subject, options), options)
  const opened = await openStoreOf(subject, options)
  const { store, source } = opened
  const layers = options.layers ?? source.transport !== 'docker'
  const cache = layers ? temporaryLayerCache() : undefined
  try {
    const carried = await openCarriedDisk(opened, { ...options, ...(cache && { cache }) })
    if (carried) return await reportDisk(subject, carried, options)
    const image = await openImage(store, storeReference(source), options)
    return await inspectImage(image, { ...options, runtime: nodeRuntime, ...(cache && { cache }) })
  } finally {
    await cache?.close()
    await store.close?.()
  }
}

async function reportDisk(
  subject: string,
  opened: OpenedDiskPath,
  options: OperationOptions,
): Promise<DiskReport> {
  const { carrier } = opened
  try {
    const report = await describeDisk(await openedDiskFile(opened, options), {
      ...options,
      runtime: nodeRuntime,
    })
    return carrier ? { ...report, carrier } : report
  } catch (error) {
    throw error instanceof FormatError ? noDisk(subject, error) : error
  } finally {
    await opened.close()
  }
}
