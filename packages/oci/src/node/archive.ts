import type { ByteSource, OperationOptions, RuntimeOptions } from '@bootable/bytes'
import { compareBytewise, utf8 } from '@bootable/bytes'
import { nodeRuntime, openFileSource } from '@bootable/bytes/node'
import { verifyBlob } from '../store/blob.ts'
import { type DockerArchiveEntry, dockerArchiveStore } from '../store/docker-archive.ts'
import type { Image, LayerDescriptor } from '../store/image.ts'
import { addRoot, blobPath, EMPTY_INDEX, OCI_LAYOUT_FILE } from '../store/layout.ts'
import { type ImageSource, type ListContentOptions, listContent } from '../store/list-content.ts'
import { type ArchiveOptions, ociArchiveStore } from '../store/oci-archive.ts'
import type { ImageStore } from '../store/store.ts'
import { splitDigest } from '../wire/digest.ts'
import { MEDIA_TYPE } from '../wire/media-types.ts'
import { type ArchiveFile, writeArchive } from './write.ts'

/**
 * The images of an oci-archive file.
 * @throws BootableError `FILE_NOT_READABLE`; FormatError when it is not one, is compressed, or was cut
 */
export function openOciArchive(path: string, options: RuntimeOptions = {}): Promise<ImageStore> {
  return openArchiveFile(path, ociArchiveStore, { name: `oci-archive:${path}`, ...options })
}

/** The images of a docker-archive file, as {@link openOciArchive} does. */
export function openDockerArchive(path: string, options: RuntimeOptions = {}): Promise<ImageStore> {
  return openArchiveFile(path, dockerArchiveStore, { name: `docker-archive:${path}`, ...options })
}

async function openArchiveFile(
  path: string,
  open: (source: ByteSource, options: ArchiveOptions) => Promise<ImageStore>,
  options: ArchiveOptions,
): Promise<ImageStore> {
  const source = await openFileSource(path)
  try {
    return await open(source, { runtime: nodeRuntime, ...options })
  } catch (error) {
    await source.close()
    throw error
  }
}

/** An image and the name that it gets in an archive; the empty name is none. */
export interface NamedImage {
  readonly source: ImageSource
  readonly name: string
}

/**
 * Writes an oci-archive. Manifests stay what they are byte for byte; files stand in the order of their
 * names. The archive gets its name when it is complete.
 * @param options `platforms` and `referrers` as `copyImage` has them
 */
export async function writeOciArchive(
  path: string,
  images: readonly NamedImage[],
  options: ListContentOptions = {},
): Promise<void> {
  const { platforms, referrers, ...operation } = options
  const files = new Map<string, ArchiveFile>()
  const add = (name: string, size: number, open: ArchiveFile['open']): void => {
    files.set(name, { path: name, size, open })
  }
  let index = EMPTY_INDEX
  for (const { source, name } of images) {
    const { root, manifests, blobs } = await listContent(source, options)
    for (const { raw, descriptor, value } of manifests) {
      add(blobPath(descriptor.digest), raw.length, async () => [raw])
      // What refers to another manifest is found through the list alone.
      if (value.subject && raw !== root.raw) index = addRoot(index, descriptor, '')
    }
    for (const descriptor of blobs) {
      add(blobPath(descriptor.digest), descriptor.size, () => source.store.openBlob(descriptor, operation))
    }
    index = addRoot(index, root.descriptor, name)
  }
  const indexJson = utf8(JSON.stringify(index))
  add('index.json', indexJson.length, async () => [indexJson])
  add('oci-layout', OCI_LAYOUT_FILE.length, async () => [OCI_LAYOUT_FILE])
  await writeArchive(path, sortFiles(files), operation)
}

/** Options of {@link writeDockerArchive}. */
export interface WriteDockerArchiveOptions extends OperationOptions, RuntimeOptions {}

/** An opened image and the names that `docker load` gives it, such as `debian:13`. */
export interface TaggedImage {
  readonly image: Image
  readonly tags: readonly string[]
}

/**
 * Writes a docker-archive, what `docker load` reads. Layers stand in it uncompressed, and the length of a
 * file before it: a compressed layer is decompressed twice, to measure and to write it.
 *
 * @throws BootableError `DIGEST_MISMATCH`, `SIZE_MISMATCH` also when a layer is not what its diff id says
 */
export async function writeDockerArchive(
  path: string,
  images: readonly TaggedImage[],
  options: WriteDockerArchiveOptions = {},
): Promise<void> {
  const files = new Map<string, ArchiveFile>()
  const entries: DockerArchiveEntry[] = []
  for (const { image, tags } of images) {
    const { raw, descriptor } = image.config
    const configPath = `${splitDigest(descriptor.digest).encoded}.json`
    files.set(configPath, { path: configPath, size: raw.length, open: async () => [raw] })
    const layerPaths: string[] = []
    for (const layer of image.layers) {
      const layerPath = `${splitDigest(layer.diffId).encoded}.tar`
      if (!files.has(layerPath)) files.set(layerPath, await layerFile(layerPath, image, layer, options))
      layerPaths.push(layerPath)
    }
    entries.push({ Config: configPath, RepoTags: [...tags], Layers: layerPaths })
  }
  const manifestJson = utf8(JSON.stringify(entries))
  files.set('manifest.json', {
    path: 'manifest.json',
    size: manifestJson.length,
    open: async () => [manifestJson],
  })
  await writeArchive(path, sortFiles(files), options)
}

async function layerFile(
  path: string,
  { store }: Image,
  { descriptor, diffId, compression }: LayerDescriptor,
  options: WriteDockerArchiveOptions,
): Promise<ArchiveFile> {
  const { runtime = nodeRuntime, signal } = options
  const operation = signal ? { signal } : {}
  const decompressed = async (): Promise<AsyncIterable<Uint8Array>> => {
    const blob = await store.openBlob(descriptor, operation)
    return runtime.decompress(compression, blob, operation)
  }
  let size = descriptor.size
  if (compression !== 'none') {
    size = 0
    for await (const chunk of await decompressed()) size += chunk.length
  }
  const expected = { mediaType: MEDIA_TYPE.layer, digest: diffId, size }
  return { path, size, open: async () => verifyBlob(await decompressed(), expected, { ...options, runtime }) }
}

function sortFiles(files: ReadonlyMap<string, ArchiveFile>): readonly ArchiveFile[] {
  return [...files.values()].sort((a, b) => compareBytewise(a.path, b.path))
}
