import { BootableError, type OperationOptions, type RuntimeOptions } from '@bootable/bytes'
import type { Image } from '../store/image.ts'
import { type LayerCompression, putLayer } from '../store/put-layer.ts'
import type { ImageStore } from '../store/store.ts'
import type { Digest } from '../wire/digest.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import type { Annotations, Descriptor, History, ImageConfig, Platform } from '../wire/types.ts'
import { convertMediaType, familyOf, type MediaTypeFamily } from './convert-media-types.ts'
import { copyBlobs } from './copy-blobs.ts'
import { extendHistory } from './history.ts'
import { putDocuments } from './put-documents.ts'

/** A layer that an image is to get. */
export interface NewLayer {
  /** The uncompressed tar, the same each time: `() => writeLayerTar(tree)`. */
  readonly open: () => AsyncIterable<Uint8Array>
  /** Its entry in the history. @defaultValue an entry that says nothing but that there is a layer */
  readonly history?: History
  readonly annotations?: Annotations
}

/** Texts by name that are set; `null` takes a name away. */
export type TextChanges = Readonly<Record<string, string | null>>

/** What is to become of an image: a description, of which nothing happens until {@link editImage} stores it. */
export interface ImageChanges {
  /** On top of the layers that are there, the lowest first. */
  readonly appendLayers?: readonly NewLayer[]
  readonly labels?: TextChanges
  /** Of the environment of a container, by name of the variable. */
  readonly env?: TextChanges
  /** Of the manifest. */
  readonly annotations?: TextChanges
  /** Entries for what was done without a layer, after those of the layers. `empty_layer` is set. */
  readonly history?: readonly History[]
  /** RFC 3339. The time stays what it was without it; the clock is never looked at. */
  readonly created?: string
  readonly platform?: Platform
  /** Has the last word on the configuration. `rootfs` and `history` are made for it. */
  readonly config?: (config: ImageConfig) => ImageConfig
  /** Whose media types the documents get. @defaultValue those of the image */
  readonly mediaTypes?: MediaTypeFamily
}

/** Options of {@link editImage}. */
export interface EditImageOptions extends OperationOptions, RuntimeOptions {
  /** The name of the new image in the store; without one it is known by its digest. */
  readonly reference?: string
  /** Of new layers. @defaultValue `gzip` */
  readonly compression?: LayerCompression
}

/**
 * Stores an image with changes. Layers that are there stay the blobs that they are and are copied where the
 * target lacks them. Equal changes to an equal image give an equal image, as far as the compressor of the
 * runtime does.
 *
 * @param target may be the store of the image itself
 * @returns the descriptor of the new manifest
 * @throws BootableError `EDIT_INVALID` for annotations of a Docker manifest, `MEDIA_TYPE_UNSUPPORTED`, and
 *   those of the stores; FormatError for a configuration that is none
 */
export async function editImage(
  image: Image,
  changes: ImageChanges,
  target: ImageStore,
  options: EditImageOptions = {},
): Promise<Descriptor> {
  const { reference, compression = 'gzip', ...operation } = options
  const { value: manifest, mediaType } = image.manifest
  const family = changes.mediaTypes ?? familyOf(mediaType)
  const annotations = changeTexts(manifest.annotations ?? {}, changes.annotations)
  if (family === 'docker' && Object.values(changes.annotations ?? {}).some((value) => value !== null)) {
    throw new BootableError<OciErrorCode>('EDIT_INVALID', 'a Docker manifest has no annotations', {
      details: { annotations: Object.keys(changes.annotations ?? {}) },
      hint: "give mediaTypes: 'oci', or set labels, which stand in the configuration",
    })
  }

  await copyBlobs(
    image.store,
    target,
    image.layers.map(({ descriptor }) => descriptor),
    operation,
  )
  const layers: Descriptor[] = manifest.layers.map((layer) => ({
    ...layer,
    mediaType: convertMediaType(layer.mediaType, 'oci'),
  }))
  const diffIds: Digest[] = image.layers.map(({ diffId }) => diffId)
  const entries: History[] = []
  for (const { open, history: entry = {}, annotations: own } of changes.appendLayers ?? []) {
    const { descriptor, diffId } = await putLayer(target, open, { compression, ...operation })
    layers.push(own ? { ...descriptor, annotations: own } : descriptor)
    diffIds.push(diffId)
    entries.push({ ...(changes.created !== undefined && { created: changes.created }), ...entry })
  }
  for (const entry of changes.history ?? []) entries.push({ ...entry, empty_layer: true })

  const { history, created: was } = image.config.value
  const config: ImageConfig = {
    ...changeConfig(image.config.value, changes),
    rootfs: { type: 'layers', diff_ids: diffIds },
    ...extendHistory({ history, layers: image.layers.length, created: was }, entries),
  }
  const { annotations: _, ...rest } = manifest
  const edited = { ...rest, layers, ...(Object.keys(annotations).length > 0 && { annotations }) }
  return putDocuments(target, config, edited, family, {
    ...operation,
    ...(reference !== undefined && { reference }),
  })
}

function changeConfig(config: ImageConfig, changes: ImageChanges): ImageConfig {
  const { labels, env, platform, created } = changes
  let changed = config
  if (platform) {
    const { architecture, os, variant, 'os.version': version, 'os.features': features, ...rest } = config
    changed = { ...rest, ...platform }
  }
  if (created !== undefined) changed = { ...changed, created }
  if (labels) {
    const Labels = changeTexts(changed.config?.Labels ?? {}, labels)
    changed = { ...changed, config: { ...changed.config, Labels } }
  }
  if (env)
    changed = { ...changed, config: { ...changed.config, Env: changeEnv(changed.config?.Env ?? [], env) } }
  return changes.config?.(changed) ?? changed
}

function changeTexts(texts: Annotations, changes: TextChanges = {}): Annotations {
  const changed = new Map(Object.entries(texts))
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) changed.delete(name)
    else changed.set(name, value)
  }
  return Object.fromEntries(changed)
}

/** A variable that is set again stays in its place. */
function changeEnv(env: readonly string[], changes: TextChanges): string[] {
  const nameOf = (entry: string): string => entry.split('=', 1)[0] as string
  const left = new Map(Object.entries(changes))
  const changed: string[] = []
  for (const entry of env) {
    const name = nameOf(entry)
    const value = left.get(name)
    left.delete(name)
    if (value === undefined && !Object.hasOwn(changes, name)) changed.push(entry)
    else if (value !== null && value !== undefined) changed.push(`${name}=${value}`)
  }
  for (const [name, value] of left) if (value !== null) changed.push(`${name}=${value}`)
  return changed
}
