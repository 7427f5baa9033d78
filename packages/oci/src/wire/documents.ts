import { FormatError } from '@bootable/bytes'
import {
  absent,
  type Check,
  count,
  flag,
  list,
  literal,
  nullable,
  object,
  parseJson,
  record,
  text,
} from './check.ts'
import { DIGEST_PATTERN } from './digest.ts'
import { MEDIA_TYPE } from './media-types.ts'
import type { Descriptor, ImageConfig, ImageIndex, ImageLayout, ImageManifest } from './types.ts'

/** `type-name "/" subtype-name` of RFC 6838, 4.2, which image-spec asks of every `mediaType`. */
export const MEDIA_TYPE_PATTERN = /^[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126}$/

const mediaType = text(MEDIA_TYPE_PATTERN, 'a media type')
const digest = text(DIGEST_PATTERN, 'a digest')
const texts = list(text())
const annotations = record(text())

const PLATFORM_REQUIRED = { architecture: text(), os: text() }
const PLATFORM_OPTIONAL = { 'os.version': text(), 'os.features': texts, variant: text() }

const descriptor = object(
  { mediaType, digest, size: count },
  {
    urls: texts,
    annotations,
    data: text(),
    artifactType: mediaType,
    platform: object(PLATFORM_REQUIRED, PLATFORM_OPTIONAL),
  },
)

const COMMON = { artifactType: mediaType, subject: descriptor, annotations }

const manifest = object(
  { schemaVersion: literal(2), config: descriptor, layers: nullable(list(descriptor)) },
  {
    ...COMMON,
    mediaType: literal(MEDIA_TYPE.manifest, MEDIA_TYPE.dockerManifest),
    manifests: absent('that is a field of an index'),
  },
)

const index = object(
  { schemaVersion: literal(2), manifests: nullable(list(descriptor)) },
  {
    ...COMMON,
    mediaType: literal(MEDIA_TYPE.index, MEDIA_TYPE.dockerManifestList),
    config: absent('that is a field of an image manifest'),
    layers: absent('that is a field of an image manifest'),
  },
)

const execution = object(
  {},
  {
    User: text(),
    ExposedPorts: nullable(record(object({}))),
    Env: nullable(texts),
    Entrypoint: nullable(texts),
    Cmd: nullable(texts),
    Volumes: nullable(record(object({}))),
    WorkingDir: text(),
    Labels: nullable(annotations),
    StopSignal: text(),
  },
)

const history = object(
  {},
  { created: text(), author: text(), created_by: text(), comment: text(), empty_layer: flag },
)

const config = object(
  { ...PLATFORM_REQUIRED, rootfs: object({ type: literal('layers'), diff_ids: nullable(list(digest)) }) },
  {
    ...PLATFORM_OPTIONAL,
    created: text(),
    author: text(),
    config: nullable(execution),
    history: nullable(list(history)),
  },
)

const layout = object({ imageLayoutVersion: literal('1.0.0') })

/** Fields that may stand there under their exact name only: see {@link parse}. */
const DECISIVE = ['manifests', 'config', 'layers', 'mediaType', 'rootfs', 'architecture', 'os']

/**
 * An image manifest, OCI's or Docker's schema 2. The answer is the parsed document, unknown fields
 * included; `null` for an empty list, as Go tools write it, becomes the empty list.
 * @throws FormatError
 */
export function parseManifest(raw: Uint8Array): ImageManifest {
  const value = parse<ImageManifest>(raw, 'image manifest', manifest)
  return { ...value, layers: value.layers ?? [] }
}

/** An image index, OCI's or Docker's manifest list, as {@link parseManifest} does. @throws FormatError */
export function parseIndex(raw: Uint8Array): ImageIndex {
  const value = parse<ImageIndex>(raw, 'image index', index)
  return { ...value, manifests: value.manifests ?? [] }
}

/** An image configuration, as {@link parseManifest} does. @throws FormatError */
export function parseConfig(raw: Uint8Array): ImageConfig {
  const value = parse<ImageConfig>(raw, 'image configuration', config)
  return { ...value, rootfs: { ...value.rootfs, diff_ids: value.rootfs.diff_ids ?? [] } }
}

/** The file `oci-layout`. @throws FormatError */
export function parseLayout(raw: Uint8Array): ImageLayout {
  return parse(raw, 'oci-layout', layout)
}

/** A descriptor that came as JSON from somewhere else. @throws FormatError */
export function checkDescriptor(value: unknown): Descriptor {
  descriptor(value, { format: 'descriptor', path: '' })
  return value as Descriptor
}

/**
 * Go's parsers take `Manifests` for `manifests`, so that a document with both would mean one thing to them
 * and another to us: decisive fields are refused under any other case.
 */
function parse<T>(raw: Uint8Array, format: string, check: Check): T {
  const value = parseJson(raw, format)
  check(value, { format, path: '' })
  for (const name of Object.keys(value as object)) {
    const twin = DECISIVE.find((each) => each !== name && each.toLowerCase() === name.toLowerCase())
    if (twin === undefined) continue
    throw new FormatError(
      'FORMAT_INVALID',
      { format, structure: name.slice(0, 80), expected: twin, actual: name.slice(0, 80) },
      `some readers would take this field for ${JSON.stringify(twin)}`,
    )
  }
  return value as T
}
