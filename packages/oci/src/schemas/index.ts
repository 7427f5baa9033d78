import { type TSchema, Type } from '@sinclair/typebox'
import { DIGEST_PATTERN } from '../wire/digest.ts'
import { MEDIA_TYPE_PATTERN } from '../wire/documents.ts'
import { MEDIA_TYPE } from '../wire/media-types.ts'

/**
 * JSON Schemas of the documents, for editors and other validators. They accept what `parseManifest`,
 * `parseIndex`, `parseConfig`, `parseLayout` and `checkDescriptor` accept. What a schema cannot say is
 * left to those: fields that differ from known ones in case only.
 */

const MediaType = Type.String({ pattern: MEDIA_TYPE_PATTERN.source })
const Digest = Type.String({ pattern: DIGEST_PATTERN.source })
const Texts = Type.Array(Type.String())
const Annotations = Type.Object({}, { additionalProperties: Type.String() })
const Names = Type.Object({}, { additionalProperties: Type.Object({}) })
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const forbidden = (description: string) => Type.Optional(Type.Never({ description }))

/** image-spec, "Image Index", `platform`. */
export const PlatformSchema = Type.Object(
  {
    architecture: Type.String({ description: 'GOARCH' }),
    os: Type.String({ description: 'GOOS' }),
    'os.version': Type.Optional(Type.String()),
    'os.features': Type.Optional(Texts),
    variant: Type.Optional(Type.String({ description: 'of the CPU, such as v8' })),
  },
  { title: 'OCI platform' },
)

/** image-spec, "Content Descriptors". */
export const DescriptorSchema = Type.Object(
  {
    mediaType: MediaType,
    digest: Digest,
    size: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'bytes' }),
    urls: Type.Optional(Texts),
    annotations: Type.Optional(Annotations),
    data: Type.Optional(Type.String({ description: 'the content itself, in base64' })),
    artifactType: Type.Optional(MediaType),
    platform: Type.Optional(PlatformSchema),
  },
  { title: 'OCI content descriptor' },
)

const Common = {
  schemaVersion: Type.Literal(2),
  artifactType: Type.Optional(MediaType),
  subject: Type.Optional(DescriptorSchema),
  annotations: Type.Optional(Annotations),
}

/** image-spec, "Image Manifest"; Docker's schema 2 as well. */
export const ImageManifestSchema = Type.Object(
  {
    ...Common,
    mediaType: Type.Optional(
      Type.Union([Type.Literal(MEDIA_TYPE.manifest), Type.Literal(MEDIA_TYPE.dockerManifest)]),
    ),
    config: DescriptorSchema,
    layers: orNull(Type.Array(DescriptorSchema, { description: 'the base layer first' })),
    manifests: forbidden('a field of an index'),
  },
  { title: 'OCI image manifest' },
)

/** image-spec, "Image Index"; Docker's manifest list as well. */
export const ImageIndexSchema = Type.Object(
  {
    ...Common,
    mediaType: Type.Optional(
      Type.Union([Type.Literal(MEDIA_TYPE.index), Type.Literal(MEDIA_TYPE.dockerManifestList)]),
    ),
    manifests: orNull(Type.Array(DescriptorSchema)),
    config: forbidden('a field of an image manifest'),
    layers: forbidden('a field of an image manifest'),
  },
  { title: 'OCI image index' },
)

const ExecutionConfig = Type.Object({
  User: Type.Optional(Type.String()),
  ExposedPorts: Type.Optional(orNull(Names)),
  Env: Type.Optional(orNull(Texts)),
  Entrypoint: Type.Optional(orNull(Texts)),
  Cmd: Type.Optional(orNull(Texts)),
  Volumes: Type.Optional(orNull(Names)),
  WorkingDir: Type.Optional(Type.String()),
  Labels: Type.Optional(orNull(Annotations)),
  StopSignal: Type.Optional(Type.String()),
})

const History = Type.Object({
  created: Type.Optional(Type.String()),
  author: Type.Optional(Type.String()),
  created_by: Type.Optional(Type.String()),
  comment: Type.Optional(Type.String()),
  empty_layer: Type.Optional(Type.Boolean()),
})

/** image-spec, "Image Configuration". */
export const ImageConfigSchema = Type.Object(
  {
    ...PlatformSchema.properties,
    created: Type.Optional(Type.String({ description: 'RFC 3339' })),
    author: Type.Optional(Type.String()),
    config: Type.Optional(orNull(ExecutionConfig)),
    rootfs: Type.Object({
      type: Type.Literal('layers'),
      diff_ids: orNull(Type.Array(Digest, { description: 'of the uncompressed layers, the base first' })),
    }),
    history: Type.Optional(orNull(Type.Array(History))),
  },
  { title: 'OCI image configuration' },
)

/** image-spec, "Image Layout": the file `oci-layout`. */
export const ImageLayoutSchema = Type.Object(
  { imageLayoutVersion: Type.Literal('1.0.0') },
  { title: 'OCI image layout' },
)
