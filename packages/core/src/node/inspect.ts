import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BootableError, type OperationOptions } from '@bootable/bytes'
import { nodeRuntime, openFileSource } from '@bootable/bytes/node'
import { temporaryLayerCache } from '@bootable/oci/node'
import type { CoreErrorCode } from '../errors.ts'
import { type DiskReport, inspectDisk } from '../inspect/disk.ts'
import { type ImageReport, inspectImage } from '../inspect/image.ts'
import { type OpenImageSourceOptions, openImageSource } from './open-image.ts'

/** Options of {@link inspectFile}. */
export interface InspectFileOptions extends OperationOptions, OpenImageSourceOptions {
  /** Reads the layers of an image as well. @defaultValue for images in files, not for those in registries */
  readonly layers?: boolean
}

/**
 * Describes what a name stands for: a disk file, an archive or layout, or an image's address.
 * @throws BootableError
 */
export async function inspectFile(
  subject: string,
  options: InspectFileOptions = {},
): Promise<DiskReport | ImageReport> {
  if (await isDiskFile(subject)) {
    const file = await openFileSource(subject)
    try {
      return await inspectDisk(file, { ...options, runtime: nodeRuntime })
    } finally {
      await file.close()
    }
  }
  const opened = await openImageSource(subject, options)
  const layers = options.layers ?? opened.source.transport !== 'docker'
  const cache = layers ? temporaryLayerCache() : undefined
  try {
    return await inspectImage(opened.image, { ...options, runtime: nodeRuntime, ...(cache && { cache }) })
  } finally {
    await cache?.close()
    await opened.close()
  }
}

/** A file that is not a tar: archives have `ustar` in their first header, and cut ones no disk's size. */
async function isDiskFile(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined)
  if (!info) return false
  if (info.isDirectory()) {
    if (await stat(join(path, 'oci-layout')).catch(() => undefined)) return false
    throw new BootableError<CoreErrorCode>('INSPECT_UNKNOWN', `${path} is a folder, but not an OCI layout`)
  }
  if (info.size < 512) return false
  const file = await openFileSource(path)
  try {
    const head = new Uint8Array(512)
    await file.read(0, head)
    return String.fromCharCode(...head.subarray(257, 262)) !== 'ustar'
  } finally {
    await file.close()
  }
}
