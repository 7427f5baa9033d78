import type { ByteSource } from '@bootable/bytes'
import { FormatError, readAll, utf8 } from '@bootable/bytes'
import { type Digest, isDigest, splitDigest } from '../wire/digest.ts'
import { parseIndex, parseLayout } from '../wire/documents.ts'
import { MEDIA_TYPE } from '../wire/media-types.ts'
import { type Descriptor, type ImageIndex, REF_NAME } from '../wire/types.ts'
import type { ContentBackend } from './content.ts'
import { MAX_DOCUMENT } from './manifest.ts'

/** The files of an image, in a folder or in an archive. Paths are relative and have no `./`. */
export interface LayoutFiles {
  /** For messages. */
  readonly name: string
  open(path: string): Promise<ByteSource | undefined>
  has(path: string): Promise<boolean>
}

/** Where a blob lies in a layout: image-spec, "Image Layout", "Blobs". */
export function blobPath(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest)
  return `blobs/${algorithm}/${encoded}`
}

/**
 * Reads an image layout (image-spec, "Image Layout"). `index.json` is read at every question, since others
 * may write to the same folder.
 */
export function layoutBackend(files: LayoutFiles): ContentBackend {
  return {
    name: files.name,
    open: (digest) => files.open(blobPath(digest)),
    has: (digest) => files.has(blobPath(digest)),
    roots: async () => (await readIndex(files)).manifests,
  }
}

/**
 * The document `index.json`, after a look at `oci-layout`.
 * @throws FormatError when it is not a layout
 */
export async function readIndex(files: LayoutFiles): Promise<ImageIndex> {
  parseLayout(await readMember(files, 'oci-layout'))
  return parseIndex(await readMember(files, 'index.json'))
}

async function readMember(files: LayoutFiles, path: string): Promise<Uint8Array> {
  const source = await files.open(path)
  if (!source) {
    throw new FormatError(
      'FORMAT_INVALID',
      { format: 'OCI layout', structure: path },
      `${files.name} has no such file`,
      { hint: 'this is not an OCI image layout, or only a part of one' },
    )
  }
  try {
    return await readAll(source, MAX_DOCUMENT)
  } finally {
    await source.close?.()
  }
}

/** The bytes of `oci-layout`. */
export const OCI_LAYOUT_FILE: Uint8Array = utf8('{"imageLayoutVersion":"1.0.0"}')

/** An `index.json` that lists nothing yet. */
export const EMPTY_INDEX: ImageIndex = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] }

/** The names in {@link PutManifestOptions.reference}. */
export function namesFrom(reference: string | readonly string[] | undefined): readonly string[] {
  if (reference === undefined) return []
  return typeof reference === 'string' ? [reference] : reference
}

/** A manifest as `index.json` lists it. The empty name is no name. */
export function nameRoot(descriptor: Descriptor, name: string): Descriptor {
  const { mediaType, digest, size } = descriptor
  const root = { mediaType, digest, size }
  return name === '' ? root : { ...root, annotations: { [REF_NAME]: name } }
}

/** An index with one more entry, in place of the one that had its name, or was it without a name. */
export function addRoot(index: ImageIndex, descriptor: Descriptor, name: string): ImageIndex {
  const root = nameRoot(descriptor, name)
  const isReplaced = (other: Descriptor): boolean => {
    const otherName = other.annotations?.[REF_NAME]
    return name === '' ? otherName === undefined && other.digest === root.digest : otherName === name
  }
  return { ...index, manifests: [...index.manifests.filter((other) => !isReplaced(other)), root] }
}

/** An index without the entries of a name, or without those of a digest. */
export function removeRoot(index: ImageIndex, target: Digest | string): ImageIndex {
  const isRemoved = ({ digest, annotations }: Descriptor): boolean =>
    isDigest(target) ? digest === target : annotations?.[REF_NAME] === target
  return { ...index, manifests: index.manifests.filter((root) => !isRemoved(root)) }
}
