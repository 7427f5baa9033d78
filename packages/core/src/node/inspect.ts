import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BootableError, detectCompression, FormatError, type OperationOptions } from '@bootable/bytes'
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
    } catch (error) {
      throw error instanceof FormatError ? noDisk(subject, error) : error
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

/**
 * Whether a path is the file of a disk: neither a layout folder nor an archive.
 * @throws BootableError `INSPECT_UNKNOWN` for what can be none of them
 */
async function isDiskFile(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined)
  if (!info) return false
  if (info.isDirectory()) {
    if (await stat(join(path, 'oci-layout')).catch(() => undefined)) return false
    throw unknown(`${path} is a folder, but not an OCI layout`)
  }
  if (!info.isFile()) throw unknown(`${path} is not a regular file`)
  if (info.size < HEAD) throw unknown(`${path} has ${info.size} bytes: neither a disk nor an archive`)
  const file = await openFileSource(path)
  try {
    const head = new Uint8Array(HEAD)
    await file.read(0, head)
    const isTar = String.fromCharCode(...head.subarray(257, 262)) === 'ustar'
    return !isTar && detectCompression(head) === 'none'
  } finally {
    await file.close()
  }
}

/** A sector, and a tar's header. */
const HEAD = 512

/** What a format reader has to say about a file that was taken for a disk. */
export function noDisk(path: string, cause: FormatError): BootableError<CoreErrorCode> {
  return unknown(`${path} is no disk that can be read: ${cause.message}`, cause)
}

function unknown(message: string, cause?: FormatError): BootableError<CoreErrorCode> {
  return new BootableError('INSPECT_UNKNOWN', message, {
    hint: 'possible are raw and qcow2 disks with a GUID partition table, OCI layouts, and archives of images',
    ...(cause && { cause }),
  })
}
