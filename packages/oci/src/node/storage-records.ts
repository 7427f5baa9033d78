import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BootableError, formatSize, MiB } from '@bootable/bytes'
import { MAX_DOCUMENT } from '../store/manifest.ts'
import { count, list, nullable, object, parseJson, text } from '../wire/check.ts'
import { DIGEST_PATTERN, type Digest } from '../wire/digest.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import type { StorageLocation } from './storage-config.ts'

/** An image in `images.json`: containers/storage, `Image`. */
export interface StorageImage {
  readonly id: string
  /** Of the manifest that it came with. */
  readonly digest?: Digest
  readonly names: readonly string[]
  /** The uppermost layer; none for an image without layers. */
  readonly layer: string
  readonly bigDataNames: readonly string[]
  /** The storage that it is in. */
  readonly root: string
}

/** A layer in `layers.json`: containers/storage, `Layer`. */
export interface StorageLayer {
  readonly id: string
  readonly parent: string
  /** Of the uncompressed tar; its digest is missing where it was never known. */
  readonly diffDigest?: Digest
  readonly diffSize?: number
  readonly root: string
}

/** Everything that a storage says about itself. */
export interface StorageRecords {
  readonly images: readonly StorageImage[]
  readonly layers: ReadonlyMap<string, StorageLayer>
}

interface ImageRecord {
  readonly id: string
  readonly digest?: string
  readonly names?: readonly string[] | null
  readonly layer?: string
  readonly 'big-data-names'?: readonly string[] | null
}

interface LayerRecord {
  readonly id: string
  readonly parent?: string
  readonly 'diff-digest'?: string
  readonly 'diff-size'?: number
}

/** Bytes of one of the lists: a layer takes about half a KiB in it. */
const MAX_LIST = 256 * MiB

/** Ids become names of files: containers/storage makes 32 random bytes of them, or takes digests. */
const ID = /^[0-9a-f]{1,128}$/
const id = text(ID, 'an id')
const digest = text(DIGEST_PATTERN, 'a digest')
const imagesJson = nullable(
  list(
    object(
      { id },
      {
        digest: text(new RegExp(`^$|${DIGEST_PATTERN.source}`), 'a digest'),
        names: nullable(list(text())),
        layer: text(/^$|^[0-9a-f]{1,128}$/, 'an id'),
        'big-data-names': nullable(list(text())),
      },
    ),
  ),
)
const layersJson = nullable(
  list(
    object(
      { id },
      { parent: text(/^$|^[0-9a-f]{1,128}$/, 'an id'), 'diff-digest': digest, 'diff-size': count },
    ),
  ),
)

/**
 * The lists of a storage. They are files that take their names when they are complete, so they are read
 * without its locks; the moment between two of them shows as a layer that is not there.
 *
 * @throws BootableError `STORAGE_UNAVAILABLE`, `LIMIT_EXCEEDED`; FormatError
 */
export async function readStorage({ driver, roots }: StorageLocation): Promise<StorageRecords> {
  const images: StorageImage[] = []
  const layers = new Map<string, StorageLayer>()
  for (const [index, root] of roots.entries()) {
    const imageList = await readList(
      join(root, `${driver}-images`, 'images.json'),
      index === 0 && roots.length === 1,
    )
    imagesJson(imageList, { format: 'containers-storage', path: 'images.json' })
    for (const each of (imageList ?? []) as readonly ImageRecord[]) {
      images.push({
        id: each.id,
        ...(each.digest && { digest: each.digest as Digest }),
        names: each.names ?? [],
        layer: each.layer ?? '',
        bigDataNames: each['big-data-names'] ?? [],
        root,
      })
    }
    // The second list is of layers that are gone when the machine starts again.
    for (const name of ['layers.json', 'volatile-layers.json']) {
      const layerList = await readList(join(root, `${driver}-layers`, name), false)
      layersJson(layerList, { format: 'containers-storage', path: name })
      for (const each of (layerList ?? []) as readonly LayerRecord[]) {
        if (layers.has(each.id)) continue
        const { 'diff-digest': diffDigest, 'diff-size': diffSize } = each
        layers.set(each.id, {
          id: each.id,
          parent: each.parent ?? '',
          ...(diffDigest !== undefined && { diffDigest: diffDigest as Digest }),
          ...(diffSize !== undefined && { diffSize }),
          root,
        })
      }
    }
  }
  return { images, layers }
}

async function readList(path: string, required: boolean): Promise<unknown> {
  try {
    const raw = await readFile(path)
    if (raw.length > MAX_LIST) {
      throw new BootableError<OciErrorCode>(
        'LIMIT_EXCEEDED',
        `${path} has ${formatSize(raw.length)}; ${formatSize(MAX_LIST)} are allowed`,
        { details: { path, size: raw.length, limit: MAX_LIST } },
      )
    }
    return parseJson(raw, 'containers-storage')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' && !required) return null
    throw storageError(path, cause)
  }
}

/**
 * A file that the storage keeps with an image: its manifests and its configuration.
 * @throws BootableError `STORAGE_UNAVAILABLE`, `LIMIT_EXCEEDED`
 */
export async function readBigData(
  { driver }: StorageLocation,
  image: StorageImage,
  name: string,
): Promise<Uint8Array> {
  const path = join(image.root, `${driver}-images`, image.id, bigDataFileName(name))
  const raw = await readFile(path).catch((cause: unknown) => {
    throw storageError(path, cause)
  })
  if (raw.length <= MAX_DOCUMENT) return new Uint8Array(raw)
  throw new BootableError<OciErrorCode>('LIMIT_EXCEEDED', `${path} has ${raw.length} bytes`, {
    details: { path, size: raw.length, limit: MAX_DOCUMENT },
  })
}

/** A name of lower-case letters, digits and dots is a file name; any other is in base64: `makeBigDataBaseName`. */
function bigDataFileName(name: string): string {
  return /^[a-z0-9.]+$/.test(name) ? name : `=${Buffer.from(name).toString('base64')}`
}

/** What the operating system says of a file of the storage, as an error of ours. Others pass. */
export function storageError(path: string, cause: unknown): unknown {
  const { code, message } = cause as NodeJS.ErrnoException
  if (BootableError.is(cause) || code === undefined) return cause
  const hint =
    code === 'ENOENT'
      ? 'is this the storage that podman uses? It may also have changed meanwhile: try again'
      : code === 'EACCES' || code === 'EPERM'
        ? 'read it as the user whose storage it is, a rootless one inside "podman unshare"'
        : undefined
  return new BootableError<OciErrorCode>('STORAGE_UNAVAILABLE', `cannot read ${path}: ${message}`, {
    details: { path, code },
    ...(hint !== undefined && { hint }),
    cause,
  })
}
