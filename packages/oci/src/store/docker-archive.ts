import type { ByteSource, Runtime } from '@bootable/bytes'
import {
  BootableError,
  detectCompression,
  FormatError,
  memorySource,
  portableRuntime,
  readAll,
  streamSource,
  utf8,
} from '@bootable/bytes'
import { list, nullable, object, parseJson, text } from '../wire/check.ts'
import { type Digest, digestBytes, digestOf } from '../wire/digest.ts'
import { parseConfig } from '../wire/documents.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import { MEDIA_TYPE } from '../wire/media-types.ts'
import { formatReference, normalizeDockerHub, parseReference } from '../wire/reference.ts'
import type { Descriptor, ImageManifest } from '../wire/types.ts'
import { openArchive } from './archive.ts'
import { contentStore } from './content.ts'
import { type LayoutFiles, nameRoot } from './layout.ts'
import { MAX_DOCUMENT } from './manifest.ts'
import type { ArchiveOptions } from './oci-archive.ts'
import { readOnly } from './read-only.ts'
import type { ImageStore } from './store.ts'

/** One image in `manifest.json`, as `docker save` writes it (moby, `image/tarexport`). */
export interface DockerArchiveEntry {
  /** Path of the configuration. */
  readonly Config: string
  readonly RepoTags?: readonly string[] | null
  /** Paths of the layers, the base first. */
  readonly Layers: readonly string[] | null
}

const manifestJson = list(
  object({ Config: text(), Layers: nullable(list(text())) }, { RepoTags: nullable(list(text())) }),
)

const LAYER_MEDIA_TYPE = { none: MEDIA_TYPE.layer, gzip: MEDIA_TYPE.layerGzip, zstd: MEDIA_TYPE.layerZstd }

/** Images of one archive; each costs a manifest. */
const MAX_IMAGES = 1000

/** Everything of an archive under its digest, with the manifests that were made for it. */
interface Contents {
  readonly roots: readonly Descriptor[]
  readonly blobs: ReadonlyMap<Digest, ByteSource>
}

/**
 * The images of a docker-archive, what `docker save` writes, as if they were OCI images: their manifests
 * are made on the fly, always the same ones for the same archive. An uncompressed layer is known by its
 * diff id; compressed ones, which are rare, are hashed once when the first image is asked for.
 *
 * @param source closed together with the store
 * @throws FormatError when it is not one, is compressed, or was cut
 */
export async function dockerArchiveStore(
  source: ByteSource,
  options: ArchiveOptions = {},
): Promise<ImageStore> {
  const { name = 'docker-archive', runtime = portableRuntime } = options
  const files = await openArchive(source, name)
  const entries = await readEntries(files)
  let reading: Promise<Contents> | undefined
  const contents = (): Promise<Contents> => {
    reading ??= readContents(files, entries, runtime)
    return reading
  }
  return {
    ...contentStore(
      {
        name,
        open: async (digest) => (await contents()).blobs.get(digest),
        has: async (digest) => (await contents()).blobs.has(digest),
        roots: async () => (await contents()).roots,
        isSameName,
      },
      { runtime },
    ),
    ...readOnly(name),
    close: async () => source.close?.(),
  }
}

async function readEntries(files: LayoutFiles): Promise<readonly DockerArchiveEntry[]> {
  const raw = await readFile(files, 'manifest.json')
  const value = parseJson(raw, 'docker-archive')
  manifestJson(value, { format: 'docker-archive', path: 'manifest.json' })
  const entries = value as readonly DockerArchiveEntry[]
  if (entries.length <= MAX_IMAGES) return entries
  throw new BootableError<OciErrorCode>(
    'LIMIT_EXCEEDED',
    `${files.name} has ${entries.length} images; ${MAX_IMAGES} are allowed`,
    { details: { images: entries.length, limit: MAX_IMAGES } },
  )
}

async function readContents(
  files: LayoutFiles,
  entries: readonly DockerArchiveEntry[],
  runtime: Runtime,
): Promise<Contents> {
  const blobs = new Map<Digest, ByteSource>()
  const roots: Descriptor[] = []
  // Images share configurations and layers; a hostile archive could name one of 4 MiB over and over.
  const configOf = once(async (path) => {
    const raw = await readFile(files, path)
    return { config: keep(MEDIA_TYPE.config, raw), diffIds: parseConfig(raw).rootfs.diff_ids }
  })
  const layerOf = once(async (path) => describeLayer(await openFile(files, path), runtime))
  for (const { Config, Layers, RepoTags } of entries) {
    const { config, diffIds } = await configOf(Config)
    const paths = Layers ?? []
    if (diffIds.length !== paths.length) {
      throw new FormatError(
        'FORMAT_INVALID',
        { format: 'docker-archive', structure: 'Layers', expected: diffIds.length, actual: paths.length },
        `manifest.json names ${paths.length} layers, the configuration ${diffIds.length}`,
      )
    }
    const layers: Descriptor[] = []
    for (const [index, path] of paths.entries()) {
      const { content, mediaType, digest = diffIds[index] as Digest } = await layerOf(path)
      blobs.set(digest, content)
      layers.push({ mediaType, digest, size: content.size })
    }
    const manifest: ImageManifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers }
    const descriptor = keep(MEDIA_TYPE.manifest, utf8(JSON.stringify(manifest)))
    for (const tag of RepoTags?.length ? RepoTags : ['']) roots.push(nameRoot(descriptor, tag))
  }
  return { roots, blobs }

  function keep(mediaType: string, bytes: Uint8Array): Descriptor {
    const digest = digestBytes(bytes, { runtime })
    blobs.set(digest, memorySource(bytes))
    return { mediaType, digest, size: bytes.length }
  }
}

/** Remembers the answer for each path. */
function once<T>(work: (path: string) => Promise<T>): (path: string) => Promise<T> {
  const answers = new Map<string, Promise<T>>()
  return (path) => {
    const answer = answers.get(path) ?? work(path)
    answers.set(path, answer)
    return answer
  }
}

/** A layer as it is stored; without a digest where it is uncompressed and known by its diff id. */
interface StoredLayer {
  readonly content: ByteSource
  readonly mediaType: string
  readonly digest?: Digest
}

async function describeLayer(content: ByteSource, runtime: Runtime): Promise<StoredLayer> {
  const head = new Uint8Array(Math.min(4, content.size))
  await content.read(0, head)
  const compression = detectCompression(head)
  const mediaType = LAYER_MEDIA_TYPE[compression]
  if (compression === 'none') return { content, mediaType }
  const hash = runtime.createHash('sha256')
  for await (const chunk of streamSource(content)) hash.update(chunk)
  return { content, mediaType, digest: digestOf('sha256', hash.digest()) }
}

async function openFile(files: LayoutFiles, path: string): Promise<ByteSource> {
  const source = await files.open(path.replace(/^(?:\.?\/)+/, ''))
  if (source) return source
  const shown = JSON.stringify(path.slice(0, 200))
  throw new FormatError(
    'FORMAT_INVALID',
    { format: 'docker-archive', structure: path.slice(0, 200) },
    `${files.name} has no file ${shown}`,
    { hint: 'this is not an archive that docker save wrote, or only a part of one' },
  )
}

async function readFile(files: LayoutFiles, path: string): Promise<Uint8Array> {
  return readAll(await openFile(files, path), MAX_DOCUMENT)
}

/** `debian` asks for what is held as `docker.io/library/debian:latest`, and the other way round. */
function isSameName(asked: string, held: string): boolean {
  const full = (name: string): string | undefined => {
    try {
      const reference = normalizeDockerHub(parseReference(name))
      return formatReference(reference.tag === undefined ? { ...reference, tag: 'latest' } : reference)
    } catch {
      return undefined // whatever stands in an archive, it can be asked for as it is
    }
  }
  return full(asked) !== undefined && full(asked) === full(held)
}
