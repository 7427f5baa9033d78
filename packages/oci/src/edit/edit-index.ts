import { BootableError, type OperationOptions, utf8 } from '@bootable/bytes'
import type { Image } from '../store/image.ts'
import { EMPTY_INDEX } from '../store/layout.ts'
import type { ImageStore } from '../store/store.ts'
import { parseIndex } from '../wire/documents.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import { MEDIA_TYPE } from '../wire/media-types.ts'
import { formatPlatform, parsePlatform } from '../wire/platform.ts'
import type { Annotations, Descriptor, ImageIndex, Platform } from '../wire/types.ts'
import { copyBlobs } from './copy-blobs.ts'

/** An image and what an index says of it. */
export interface IndexEntry {
  readonly image: Image
  /** @defaultValue what the configuration of the image says */
  readonly platform?: Platform
  readonly annotations?: Annotations
}

/** What is to become of an index. */
export interface IndexChanges {
  /** Each in place of the one of its platform or digest, if there is one, else at the end. */
  readonly add?: readonly Descriptor[]
  /** Digests, or platforms as `parsePlatform` takes them. */
  readonly remove?: readonly string[]
  readonly annotations?: Annotations
  readonly artifactType?: string
}

/** The entry of an index for an image: its manifest with the platform of its configuration. */
export function describeEntry({ image, platform, annotations }: IndexEntry): Descriptor {
  const { mediaType, digest, size } = image.manifest.descriptor
  const { architecture, os, variant, 'os.version': version, 'os.features': features } = image.config.value
  const own: Platform = {
    architecture,
    os,
    ...(version !== undefined && { 'os.version': version }),
    ...(features !== undefined && { 'os.features': features }),
    ...(variant !== undefined && { variant }),
  }
  return { mediaType, digest, size, platform: platform ?? own, ...(annotations && { annotations }) }
}

/**
 * An index with entries added, replaced or removed. Nothing is stored: {@link buildIndex} does that, or `putManifest`.
 * @throws BootableError `EDIT_INVALID` when there is nothing to remove; `PLATFORM_INVALID`
 */
export function editIndex(index: ImageIndex, changes: IndexChanges): ImageIndex {
  const { add = [], remove = [], annotations, artifactType } = changes
  let manifests = [...index.manifests]
  for (const text of remove) {
    const platform = text.includes(':') ? undefined : formatPlatform(parsePlatform(text))
    const left = manifests.filter(
      (entry) => entry.digest !== text && (platform === undefined || platformKey(entry) !== platform),
    )
    if (left.length === manifests.length) {
      const held = manifests.map((entry) => platformKey(entry) ?? entry.digest)
      throw new BootableError<OciErrorCode>('EDIT_INVALID', `the index has no entry for ${text}`, {
        details: { remove: text, entries: held },
        hint: `it has ${held.join(', ') || 'none'}`,
      })
    }
    manifests = left
  }
  for (const entry of add) {
    const key = platformKey(entry)
    const at = manifests.findIndex(
      (each) => each.digest === entry.digest || (key !== undefined && platformKey(each) === key),
    )
    if (at < 0) manifests.push(entry)
    else manifests[at] = entry
  }
  return {
    ...index,
    ...(artifactType !== undefined && { artifactType }),
    manifests,
    ...(annotations && { annotations: { ...index.annotations, ...annotations } }),
  }
}

/** `unknown` is what attestations have in place of a platform; they do not replace each other. */
function platformKey({ platform }: Descriptor): string | undefined {
  if (!platform || platform.architecture === 'unknown') return undefined
  const version = platform['os.version']
  return `${formatPlatform(platform)}${version === undefined ? '' : ` ${version}`}`
}

/** Options of {@link buildIndex}. */
export interface BuildIndexOptions extends OperationOptions {
  /** The name of the index in the store; without one it is known by its digest. */
  readonly reference?: string
  readonly annotations?: Annotations
  readonly artifactType?: string
  /** The index that it continues. @defaultValue an empty one */
  readonly index?: ImageIndex
}

/**
 * Makes an index of images, of several platforms most often, and stores it with those of them that the store
 * lacks.
 * @returns the descriptor of the index
 * @throws BootableError of the stores
 */
export async function buildIndex(
  store: ImageStore,
  entries: readonly IndexEntry[],
  options: BuildIndexOptions = {},
): Promise<Descriptor> {
  const { reference, annotations, artifactType, index = EMPTY_INDEX, ...operation } = options
  for (const { image } of entries) {
    const { value, raw, mediaType } = image.manifest
    await copyBlobs(image.store, store, [value.config, ...value.layers], operation)
    if (image.store !== store) await store.putManifest(raw, { ...operation, mediaType })
  }
  const changes = {
    add: entries.map(describeEntry),
    ...(annotations && { annotations }),
    ...(artifactType !== undefined && { artifactType }),
  }
  const raw = utf8(JSON.stringify(editIndex(index, changes)))
  parseIndex(raw)
  const mediaType = index.mediaType ?? MEDIA_TYPE.index
  return store.putManifest(raw, { ...operation, mediaType, ...(reference !== undefined && { reference }) })
}
