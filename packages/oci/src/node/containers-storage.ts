import { BootableError, memorySource, type RuntimeOptions, utf8 } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { verifyBlob } from '../store/blob.ts'
import { contentStore } from '../store/content.ts'
import { nameRoot } from '../store/layout.ts'
import { createManifest, isIndex } from '../store/manifest.ts'
import { readOnly } from '../store/read-only.ts'
import type { ImageStore } from '../store/store.ts'
import { type Digest, digestBytes, isDigest } from '../wire/digest.ts'
import { parseConfig } from '../wire/documents.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import { MEDIA_TYPE } from '../wire/media-types.ts'
import { formatReference, normalizeDockerHub, parseReference } from '../wire/reference.ts'
import type { Descriptor, ImageManifest } from '../wire/types.ts'
import { locateStorage, type StorageHost, type StorageLocation } from './storage-config.ts'
import { rebuildLayer } from './storage-layer.ts'
import {
  readBigData,
  readStorage,
  type StorageImage,
  type StorageLayer,
  type StorageRecords,
} from './storage-records.ts'

/** Options of {@link openContainersStorage}. */
export interface ContainersStorageOptions extends RuntimeOptions {
  /**
   * Which storage: `[driver@]graphroot[+runroot]`, as containers-transports(5) has it in brackets.
   * @defaultValue the one of storage.conf(5)
   */
  readonly storage?: string
  /** What of the host decides without `storage`. */
  readonly host?: StorageHost
}

/** Layers on top of each other: those of an image. */
const MAX_LAYERS = 500

/**
 * The local storage of podman, buildah and CRI-O, read where it lies: containers-storage(7) and its
 * containers-storage.conf(5). Drivers overlay and vfs; it is never locked and never written.
 *
 * The storage keeps layers unpacked. Their tars are put together again byte for byte and verified against
 * the diff id, but how they were compressed is gone: manifests are made anew with uncompressed layers, as
 * skopeo does when it copies from there, always the same ones for the same image. An image is known by its
 * names, by its id or the start of it, and by the digest of the manifest that it came with.
 *
 * @throws BootableError `STORAGE_UNAVAILABLE`; later calls also `LAYER_UNAVAILABLE`; FormatError
 */
export async function openContainersStorage(options: ContainersStorageOptions = {}): Promise<ImageStore> {
  const { runtime = nodeRuntime } = options
  const location = await locateStorage(options.storage, options.host)
  const name = `containers-storage:[${location.driver}@${location.roots[0]}]`
  await readStorage(location) // so that a storage that cannot be read is told at once
  /** What was presented so far; content stays valid when others change the storage. */
  const documents = new Map<Digest, Uint8Array>()
  const layers = new Map<Digest, StorageLayer>()

  async function present(
    image: StorageImage,
    records: StorageRecords,
    manifest = 'manifest',
  ): Promise<Descriptor> {
    const presented = await presentImage({ location, image, records, manifest, name })
    for (const bytes of presented.documents) documents.set(digestBytes(bytes, { runtime }), bytes)
    for (const layer of presented.layers) layers.set(layer.diffDigest as Digest, layer)
    return presented.root
  }

  async function presentAll(): Promise<Descriptor[]> {
    const records = await readStorage(location)
    const roots: Descriptor[] = []
    for (const image of records.images) {
      const root = await present(image, records)
      for (const each of image.names.length > 0 ? image.names : ['']) roots.push(nameRoot(root, each))
    }
    return roots
  }

  const documentsOnly = contentStore(
    {
      name,
      async open(digest) {
        const bytes = documents.get(digest)
        return bytes && memorySource(bytes)
      },
      has: async (digest) => documents.has(digest),
      roots: presentAll,
    },
    { runtime },
  )

  const store: ImageStore = {
    ...documentsOnly,
    ...readOnly(name),
    async resolve(reference, { signal } = {}) {
      signal?.throwIfAborted()
      const records = await readStorage(location)
      const images = findImages(records.images, reference)
      const [first] = images
      // Also a manifest that was presented before, by its own digest.
      if (!first) return documentsOnly.resolve(reference, signal ? { signal } : {})
      if (images.length > 1) throw ambiguous(name, reference, images)
      // An image that came with several manifests is meant with the one that was asked for.
      const root = await present(first, records, manifestNames(first, reference)[0])
      return nameRoot(root, first.names[0] ?? '')
    },
    async getManifest(target, options = {}) {
      if (typeof target === 'string') return store.getManifest(await store.resolve(target, options), options)
      if (!documents.has(target.digest)) await presentAll()
      return documentsOnly.getManifest(target, options)
    },
    async openBlob(descriptor, options = {}) {
      const layer = layers.get(descriptor.digest)
      if (!layer) return documentsOnly.openBlob(descriptor, options)
      options.signal?.throwIfAborted()
      const { offset = 0, signal } = options
      const tar = rebuildLayer(location, layer, { runtime, ...(signal && { signal }) })
      return verifyBlob(skip(tar, offset), descriptor, { ...options, runtime })
    },
    hasBlob: async ({ digest }) => documents.has(digest) || layers.has(digest),
    async *tags() {
      const { images } = await readStorage(location)
      yield* new Set(images.flatMap(({ names }) => names))
    },
  }
  return store
}

/** An image in the terms of a store. */
interface PresentedImage {
  readonly root: Descriptor
  readonly documents: readonly Uint8Array[]
  readonly layers: readonly StorageLayer[]
}

interface PresentedImageParts {
  readonly location: StorageLocation
  readonly image: StorageImage
  readonly records: StorageRecords
  /** Name of the file that holds the manifest. */
  readonly manifest: string
  /** Of the store, for messages. */
  readonly name: string
}

async function presentImage(parts: PresentedImageParts): Promise<PresentedImage> {
  const { location, image, records, name } = parts
  const stored = createManifest(await readBigData(location, image, parts.manifest))
  if (isIndex(stored)) {
    throw broken(name, image, 'its record of the manifest is an index', 'pull the image of one platform')
  }
  const original = stored.value as ImageManifest
  const configBytes = await readBigData(location, image, original.config.digest)
  const diffIds = parseConfig(configBytes).rootfs.diff_ids
  const layers = layerChain(image, records, name)
  if (diffIds.length !== layers.length || layers.some(({ diffDigest }, at) => diffDigest !== diffIds[at])) {
    const known = layers.filter(({ diffDigest }) => diffDigest !== undefined).length
    throw broken(
      name,
      image,
      `its configuration names ${diffIds.length} layers, the storage has ${layers.length}, ${known} with a digest, and they are not the same`,
      'layers that were pulled in parts (zstd:chunked) have no digest: save the image with "podman save"',
    )
  }
  const isDocker = stored.mediaType === MEDIA_TYPE.dockerManifest
  const manifest: ImageManifest = {
    ...original,
    layers: layers.map(({ diffSize = 0 }, at) => ({
      mediaType: isDocker ? MEDIA_TYPE.dockerLayer : MEDIA_TYPE.layer,
      digest: diffIds[at] as Digest,
      size: diffSize,
    })),
  }
  const raw = utf8(JSON.stringify(manifest))
  const { descriptor } = createManifest(raw, { mediaType: stored.mediaType })
  return { root: descriptor, documents: [raw, configBytes], layers }
}

/** The layers of an image, the base first. */
function layerChain(image: StorageImage, { layers }: StorageRecords, name: string): StorageLayer[] {
  const chain: StorageLayer[] = []
  for (let id = image.layer; id !== ''; ) {
    const layer = layers.get(id)
    if (!layer)
      throw broken(
        name,
        image,
        `its layer ${id.slice(0, 12)} is not there`,
        'it may be in the middle of a pull or a removal: try again',
      )
    if (chain.length === MAX_LAYERS) throw broken(name, image, `it has more than ${MAX_LAYERS} layers`)
    chain.push(layer)
    id = layer.parent
  }
  return chain.reverse()
}

/** Images that a reference may mean: the first kind of match that fits any counts. */
function findImages(images: readonly StorageImage[], reference: string): readonly StorageImage[] {
  if (reference === '') return images
  const id = reference.replace(/^@|^sha256:/g, '')
  const tries: ((image: StorageImage) => boolean)[] = [
    ({ names }) => names.includes(reference),
    (image) => manifestNames(image, reference).length > 0,
    (image) => image.id === id,
  ]
  const asked = parseName(reference)
  if (asked) {
    const { digest, name, tag } = asked
    for (const full of [normalizeDockerHub(name), { host: 'localhost', ...name }]) {
      const wanted = formatReference({ ...full, tag: tag ?? 'latest' })
      const repository = formatReference(full)
      tries.push((image) =>
        digest === undefined
          ? image.names.includes(wanted)
          : manifestNames(image, reference).length > 0 && image.names.some((each) => isOf(each, repository)),
      )
    }
  }
  // Shorter ones would match by chance: podman asks for three digits at least.
  if (/^[0-9a-f]{3,}$/.test(id)) tries.push((image) => image.id.startsWith(id))
  for (const matches of tries) {
    const found = images.filter(matches)
    if (found.length > 0) return found
  }
  return []
}

/** The files of an image with the manifest of the digest that a reference is, or ends in. */
function manifestNames({ bigDataNames }: StorageImage, reference: string): readonly string[] {
  const digest = reference.slice(reference.indexOf('@') + 1)
  return isDigest(digest) ? bigDataNames.filter((each) => each === `manifest-${digest}`) : []
}

/** Whether a name has this repository; a tag or a digest follows it. */
function isOf(name: string, repository: string): boolean {
  return name.startsWith(`${repository}:`) || name.startsWith(`${repository}@`)
}

function parseName(
  reference: string,
): { name: ReturnType<typeof parseReference>; tag?: string; digest?: Digest } | undefined {
  try {
    const { tag, digest, ...name } = parseReference(reference)
    return { name, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) }
  } catch {
    return undefined // whatever stands in a storage can be asked for as it is
  }
}

async function* skip(chunks: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count
  for await (const chunk of chunks) {
    if (left < chunk.length) yield left > 0 ? chunk.subarray(left) : chunk
    left = Math.max(0, left - chunk.length)
  }
}

function ambiguous(
  store: string,
  reference: string,
  images: readonly StorageImage[],
): BootableError<OciErrorCode> {
  const choices = images.map(({ names, id }) => names[0] ?? id)
  return new BootableError(
    'REFERENCE_AMBIGUOUS',
    `${store} holds ${images.length} images${reference === '' ? '' : ` that ${JSON.stringify(reference.slice(0, 300))} may mean`}`,
    { details: { store, reference, names: choices }, hint: `choose one: ${choices.slice(0, 20).join(', ')}` },
  )
}

function broken(
  store: string,
  { id, names }: StorageImage,
  message: string,
  hint?: string,
): BootableError<OciErrorCode> {
  return new BootableError('LAYER_UNAVAILABLE', `${names[0] ?? id.slice(0, 12)} in ${store}: ${message}`, {
    details: { store, image: id, names },
    ...(hint !== undefined && { hint }),
  })
}
