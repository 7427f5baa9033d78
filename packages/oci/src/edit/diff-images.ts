import { diffTrees, type Inode, lookup, type TreeChange } from '@bootable/tree'
import { memoryLayerCache } from '../layer/cache.ts'
import type { Image, LayerDescriptor } from '../store/image.ts'
import { type UnpackImageOptions, unpackImage } from '../unpack/unpack-image.ts'
import type { ImageConfig } from '../wire/types.ts'

/** One difference between two configurations. */
export interface ConfigChange {
  /** Where: `architecture`, `config.Cmd`, `config.Labels.version`. */
  readonly path: string
  /** JSON values; `undefined` where there is none. */
  readonly before: unknown
  readonly after: unknown
}

/** A file that differs between two images. */
export interface FileChange extends TreeChange {
  /** Bytes of its content; of regular files alone. */
  readonly sizeBefore?: number
  readonly sizeAfter?: number
}

/** What differs between two images, as far as it shows without a look into their layers. */
export interface ImageDifference {
  /** Blobs that both have. */
  readonly sharedLayers: readonly LayerDescriptor[]
  /** Layers of `after` whose content is in `before` too, in another blob: compressed in another way. */
  readonly recompressedLayers: readonly LayerDescriptor[]
  readonly removedLayers: readonly LayerDescriptor[]
  readonly addedLayers: readonly LayerDescriptor[]
  /** Bytes of the manifest, the configuration and the layers that who has `before` must fetch for `after`. */
  readonly fetchSize: number
  readonly config: readonly ConfigChange[]
  /**
   * The files that differ, sorted by path, those removed last. Both images are unpacked for it, once for each
   * call; layers that they share are fetched once.
   */
  files(options?: DiffFilesOptions): AsyncIterable<FileChange>
}

/** Options of {@link ImageDifference.files}. */
export interface DiffFilesOptions extends UnpackImageOptions {
  /** Compares the contents of files of equal size. @defaultValue true */
  readonly contents?: boolean
  /** Compares modification times. @defaultValue true */
  readonly times?: boolean
}

/** Compares two images; nothing is fetched until the files are asked for. */
export function diffImages(before: Image, after: Image): ImageDifference {
  const digests = new Set(before.layers.map(({ descriptor }) => descriptor.digest))
  const diffIds = new Set(before.layers.map(({ diffId }) => diffId))
  const newDiffIds = new Set(after.layers.map(({ diffId }) => diffId))
  const isShared = ({ descriptor }: LayerDescriptor): boolean => digests.has(descriptor.digest)

  const missing = new Map<string, number>()
  const has = new Set<string>([
    ...digests,
    before.config.descriptor.digest,
    before.manifest.descriptor.digest,
  ])
  const wanted = [after.manifest, after.config, ...after.layers]
  for (const { descriptor } of wanted)
    if (!has.has(descriptor.digest)) missing.set(descriptor.digest, descriptor.size)

  return {
    sharedLayers: after.layers.filter(isShared),
    recompressedLayers: after.layers.filter((layer) => !isShared(layer) && diffIds.has(layer.diffId)),
    removedLayers: before.layers.filter(({ diffId }) => !newDiffIds.has(diffId)),
    addedLayers: after.layers.filter(({ diffId }) => !diffIds.has(diffId)),
    fetchSize: [...missing.values()].reduce((sum, size) => sum + size, 0),
    config: diffConfigs(before.config.value, after.config.value),
    files: (options) => diffFiles(before, after, options),
  }
}

async function* diffFiles(
  before: Image,
  after: Image,
  options: DiffFilesOptions = {},
): AsyncGenerator<FileChange> {
  const { contents = true, times = true, ...unpack } = options
  const cache = unpack.cache ?? memoryLayerCache()
  const lower = await unpackImage(before, { ...unpack, cache })
  const upper = await unpackImage(after, { ...unpack, cache })
  const { signal } = unpack
  for await (const change of diffTrees(lower, upper, { contents, times, ...(signal && { signal }) })) {
    const [sizeBefore, sizeAfter] = [lower, upper].map((tree) => sizeOf(lookup(tree, change.path)))
    yield {
      ...change,
      ...(sizeBefore !== undefined && { sizeBefore }),
      ...(sizeAfter !== undefined && { sizeAfter }),
    }
  }
}

function sizeOf(inode: Inode | undefined): number | undefined {
  return inode?.type === 'file' ? inode.content.size : undefined
}

/** Objects whose fields are compared one by one; any other value is compared as a whole. */
const NESTED: readonly string[] = ['config', 'config.Labels', 'config.ExposedPorts', 'config.Volumes']

function diffConfigs(before: ImageConfig, after: ImageConfig): ConfigChange[] {
  const { rootfs: _, history: __, ...left } = before
  const { rootfs: ___, history: ____, ...right } = after
  return [...diffFields('', left, right)]
}

function* diffFields(prefix: string, before: object, after: object): Generator<ConfigChange> {
  const fields = (value: object, name: string): unknown =>
    Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
  for (const name of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    const [left, right] = [fields(before, name), fields(after, name)]
    const path = prefix === '' ? name : `${prefix}.${name}`
    if (NESTED.includes(path)) yield* diffFields(path, asObject(left), asObject(right))
    else if (JSON.stringify(left) !== JSON.stringify(right)) yield { path, before: left, after: right }
  }
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}
