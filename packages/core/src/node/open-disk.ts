import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BootableError, type ByteSource, FormatError, type OperationOptions } from '@bootable/bytes'
import { nodeRuntime, openFileSource } from '@bootable/bytes/node'
import { isOva } from '@bootable/disk/ova'
import { fetchLayers, type ImageManifest, isIndex, type LayerCache, openImage } from '@bootable/oci'
import { temporaryLayerCache } from '@bootable/oci/node'
import type { CoreErrorCode } from '../errors.ts'
import { isTarHead, type OpenedDiskSource, openDiskSource, readHead } from '../formats/open-disk-source.ts'
import { spool } from '../formats/spool.ts'
import { findArtifactDisk, isArtifact } from '../images/artifact.ts'
import { findContainerDisk } from '../images/container-disk.ts'
import type { ImageOutputType } from '../output-types.ts'
import { storeReference } from '../source.ts'
import { type OpenedStore, type OpenImageSourceOptions, openStoreOf } from './open-image.ts'
import { scratchOutput } from './outputs.ts'

/** Options of {@link openDiskPath}. */
export interface OpenDiskPathOptions extends OperationOptions, Omit<OpenImageSourceOptions, 'policy'> {
  /** Bytes after which a compressed disk is refused, holes included. @defaultValue 256 GiB */
  readonly maxSize?: number
  /** Where the layers of an image are kept that carries the disk. @defaultValue a temporary folder */
  readonly cache?: LayerCache
}

/** The disk that a name stands for. */
export interface OpenedDiskPath extends OpenedDiskSource {
  /** What carries the file, where that is an image. */
  readonly carrier?: ImageOutputType
}

/**
 * Opens the disk in a file of any format, in a containerDisk or in an artifact. What is compressed as a whole
 * goes to the folder for temporary files, and is removed by `close`.
 *
 * @param subject the path of a file, or an image as `openImageSource` takes it
 * @throws BootableError `INSPECT_UNKNOWN` for what is no disk
 */
export async function openDiskPath(
  subject: string,
  options: OpenDiskPathOptions = {},
): Promise<OpenedDiskPath> {
  if (!(await isDiskFile(subject))) return openDiskOfImage(subject, options)
  const file = await openFileSource(subject)
  try {
    return closingToo(await openDiskSource(file, spoolOptions(options)), () => file.close())
  } catch (error) {
    await file.close()
    throw error instanceof FormatError ? noDisk(subject, error) : error
  }
}

async function openDiskOfImage(subject: string, options: OpenDiskPathOptions): Promise<OpenedDiskPath> {
  const opened = await openStoreOf(subject, options)
  const cache = options.cache ?? temporaryLayerCache()
  const close = async (): Promise<void> => {
    if (cache !== options.cache) await cache.close()
    await opened.store.close?.()
  }
  try {
    const disk = await openCarriedDisk(opened, { ...options, cache })
    if (disk) return closingToo(disk, close)
    throw unknown(`${subject} is an image that carries no disk`)
  } catch (error) {
    await close()
    throw error instanceof FormatError ? noDisk(subject, error) : error
  }
}

/**
 * The disk in an image: in a containerDisk, whose layers are only looked at if there is a cache for them, or in
 * an artifact; `undefined` for an image of another kind.
 */
export async function openCarriedDisk(
  { store, source }: OpenedStore,
  options: OpenDiskPathOptions,
): Promise<OpenedDiskPath | undefined> {
  const { cache, signal } = options
  const operation = signal ? { signal } : {}
  const manifest = await store.getManifest(storeReference(source), operation)
  if (!isIndex(manifest) && isArtifact(manifest.value as ImageManifest)) {
    const layer = findArtifactDisk(manifest.value as ImageManifest)
    if (!layer) throw unknown(`${store.name} is an artifact of several files: none of them is the disk`)
    const content = await spool(await store.openBlob(layer, operation), 'none', spoolOptions(options))
    return { ...(await openInside(content, options)), carrier: 'artifact' }
  }
  if (!cache) return undefined
  const image = await openImage(store, storeReference(source), options)
  const layers = await fetchLayers(image, { ...operation, cache, runtime: nodeRuntime })
  const content = findContainerDisk(layers)
  return content && { ...(await openInside(content, options)), carrier: 'containerdisk' }
}

async function openInside(content: ByteSource, options: OpenDiskPathOptions): Promise<OpenedDiskSource> {
  const close = async (): Promise<void> => content.close?.()
  try {
    return closingToo(await openDiskSource(content, spoolOptions(options)), close)
  } catch (error) {
    await close()
    throw error
  }
}

function closingToo<T extends OpenedDiskSource>(opened: T, close: () => Promise<void>): T {
  return {
    ...opened,
    async close() {
      await opened.close()
      await close()
    },
  }
}

function spoolOptions({
  maxSize,
  signal,
  onProgress,
}: OpenDiskPathOptions): Parameters<typeof openDiskSource>[1] {
  return {
    runtime: nodeRuntime,
    scratch: () => scratchOutput(tmpdir()),
    ...(maxSize !== undefined && { maxSize }),
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  }
}

/**
 * Whether a path is the file of a disk: neither a layout folder nor an archive of images.
 * @throws BootableError `INSPECT_UNKNOWN` for what can be none of them
 */
export async function isDiskFile(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined)
  if (!info) return false
  if (info.isDirectory()) {
    if (await stat(join(path, 'oci-layout')).catch(() => undefined)) return false
    throw unknown(`${path} is a folder, but not an OCI layout`)
  }
  if (!info.isFile()) throw unknown(`${path} is not a regular file`)
  const file = await openFileSource(path)
  try {
    return !isTarHead(await readHead(file)) || (await isOva(file))
  } finally {
    await file.close()
  }
}

/** What a format reader has to say about a file that was taken for a disk. */
export function noDisk(path: string, cause: FormatError): BootableError<CoreErrorCode> {
  return unknown(`${path} is no disk that can be read: ${cause.message}`, cause)
}

function unknown(message: string, cause?: FormatError): BootableError<CoreErrorCode> {
  return new BootableError('INSPECT_UNKNOWN', message, {
    hint: 'possible are disks (raw, qcow2, vmdk, vhd, vhdx, ova, gce; also .gz and .zst), OCI layouts, and archives of images that are not compressed',
    ...(cause && { cause }),
  })
}
