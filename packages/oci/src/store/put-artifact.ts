import type { OperationOptions, RuntimeOptions } from '@bootable/bytes'
import { memorySource, portableRuntime, utf8 } from '@bootable/bytes'
import { digestBytes } from '../wire/digest.ts'
import { MEDIA_TYPE } from '../wire/media-types.ts'
import type { Annotations, Descriptor, ImageManifest } from '../wire/types.ts'
import { blobOf } from './blob.ts'
import type { BlobSource, ImageStore } from './store.ts'

/** The annotation by which ORAS and others name a file: image-spec, "Pre-Defined Annotation Keys". */
export const TITLE = 'org.opencontainers.image.title'

/** The content of {@link MEDIA_TYPE}`.empty`. */
export const EMPTY_JSON: Uint8Array = utf8('{}')

/** A file of an artifact: one of its layers. */
export interface ArtifactFile {
  /** @defaultValue `application/octet-stream` */
  readonly mediaType?: string
  readonly content: BlobSource
  /** What `oras pull` calls the file: the annotation {@link TITLE}. */
  readonly name?: string
  readonly annotations?: Annotations
}

/** What an artifact is made of. */
export interface ArtifactParts {
  /** What it is, as a media type: `application/vnd.example.sbom.v1`. */
  readonly artifactType: string
  /** @defaultValue none: what there is to say stands in the annotations */
  readonly files?: readonly ArtifactFile[]
  /** The manifest that it is about: it will be among its referrers. */
  readonly subject?: Descriptor
  readonly annotations?: Annotations
}

/** Options of {@link putArtifact}. */
export interface PutArtifactOptions extends OperationOptions, RuntimeOptions {
  /** The name that it gets, or several. @defaultValue none: it is known by its digest, and by its subject */
  readonly reference?: string | readonly string[]
}

/**
 * Puts files into a store as an artifact: image-spec 1.1, "Guidelines for Artifact Usage", with the empty
 * configuration, and the empty layer where there are no files. Nothing in it depends on the time.
 * @returns the descriptor of its manifest
 */
export async function putArtifact(
  store: ImageStore,
  parts: ArtifactParts,
  options: PutArtifactOptions = {},
): Promise<Descriptor> {
  const { runtime = portableRuntime, reference, ...operation } = options
  const layers: Descriptor[] = []
  for (const { mediaType = 'application/octet-stream', content, name, annotations } of parts.files ?? []) {
    const { digest, size } = await store.putBlob(content, operation)
    const named = { ...(name !== undefined && { [TITLE]: name }), ...annotations }
    layers.push({ mediaType, digest, size, ...(Object.keys(named).length > 0 && { annotations: named }) })
  }
  const empty = { mediaType: MEDIA_TYPE.empty, digest: digestBytes(EMPTY_JSON, { runtime }), size: 2 }
  await store.putBlob(blobOf(memorySource(EMPTY_JSON)), { ...operation, descriptor: empty })
  const manifest = artifactManifest({ ...parts, config: empty, layers })
  return store.putManifest(utf8(JSON.stringify(manifest)), {
    ...operation,
    mediaType: MEDIA_TYPE.manifest,
    ...(reference !== undefined && { reference }),
  })
}

/** The manifest of an artifact whose blobs are known. The empty configuration stands in for absent layers. */
export function artifactManifest(
  parts: Omit<ArtifactParts, 'files'> & {
    readonly config: Descriptor
    readonly layers: readonly Descriptor[]
  },
): ImageManifest {
  const { artifactType, config, layers, subject, annotations } = parts
  return {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    artifactType,
    config,
    layers: layers.length > 0 ? layers : [config],
    ...(subject && {
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    }),
    ...(annotations && { annotations }),
  }
}
