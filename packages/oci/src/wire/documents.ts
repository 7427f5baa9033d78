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
  { schemaVersion: literal(2), config: descriptor, layers: list(descriptor) },
  {
    ...COMMON,
    mediaType: literal(MEDIA_TYPE.manifest, MEDIA_TYPE.dockerManifest),
    manifests: absent('that is a field of an index'),
  },
)

const index = object(
  { schemaVersion: literal(2), manifests: list(descriptor) },
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
  { ...PLATFORM_REQUIRED, rootfs: object({ type: literal('layers'), diff_ids: list(digest) }) },
  {
    ...PLATFORM_OPTIONAL,
    created: text(),
    author: text(),
    config: nullable(execution),
    history: nullable(list(history)),
  },
)

const layout = object({ imageLayoutVersion: literal('1.0.0') })

/**
 * An image manifest, OCI's or Docker's schema 2. The answer is the parsed document, unknown fields
 * included.
 * @throws FormatError
 */
export function parseManifest(raw: Uint8Array): ImageManifest {
  return parse(raw, 'image manifest', manifest, ['manifests', 'config', 'layers', 'mediaType'])
}

/** An image index, OCI's or Docker's manifest list. @throws FormatError */
export function parseIndex(raw: Uint8Array): ImageIndex {
  return parse(raw, 'image index', index, ['manifests', 'config', 'layers', 'mediaType'])
}

/** An image configuration. @throws FormatError */
export function parseConfig(raw: Uint8Array): ImageConfig {
  return parse(raw, 'image configuration', config, ['rootfs', 'architecture', 'os'])
}

/** The file `oci-layout`. @throws FormatError */
export function parseLayout(raw: Uint8Array): ImageLayout {
  return parse(raw, 'oci-layout', layout, [])
}

/** A descriptor that came as JSON from somewhere else. @throws FormatError */
export function checkDescriptor(value: unknown): Descriptor {
  descriptor(value, { format: 'descriptor', path: '' })
  return value as Descriptor
}

/**
 * @param decisive fields that may stand there under their exact name only. Go's parsers take `Manifests`
 *   for `manifests`, so a document with both would mean one thing to them and another to us.
 */
function parse<T>(raw: Uint8Array, format: string, check: Check, decisive: readonly string[]): T {
  const value = parseJson(raw, format)
  check(value, { format, path: '' })
  for (const name of Object.keys(value as object)) {
    const lower = name.toLowerCase()
    if (lower !== name && decisive.some((each) => each.toLowerCase() === lower && each !== name)) {
      throw new FormatError(
        'FORMAT_INVALID',
        { format, structure: name, actual: name },
        'some readers would take this field for another one that differs in case only',
      )
    }
  }
  return value as T
}
