import { MEDIA_TYPE } from '@bootable/oci'
import fc from 'fast-check'

const hex = (length: number): fc.Arbitrary<string> =>
  fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`), { size: 'max' })
const digest = fc.oneof(
  hex(64).map((digits) => `sha256:${digits}`),
  hex(128).map((digits) => `sha512:${digits}`),
)
const mediaType = fc.constantFrom<string>(...Object.values(MEDIA_TYPE), 'text/plain')
const texts = fc.array(fc.string(), { maxLength: 3 })
const annotations = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 })
const orNull = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.oneof(value, fc.constant(null))

const platformFields = {
  architecture: fc.constantFrom('amd64', 'arm64', 'arm', ''),
  os: fc.constantFrom('linux', 'windows'),
  'os.version': fc.string(),
  'os.features': texts,
  variant: fc.constantFrom('v8', 'v7', ''),
}
const platform = fc.record(platformFields, { requiredKeys: ['architecture', 'os'] })

/** Descriptors, with and without the fields that are optional. */
export const descriptor = fc.record(
  {
    mediaType,
    digest,
    size: fc.nat(),
    urls: texts,
    annotations,
    data: fc.string(),
    artifactType: mediaType,
    platform,
  },
  { requiredKeys: ['mediaType', 'digest', 'size'] },
)

const common = { schemaVersion: fc.constant(2), artifactType: mediaType, subject: descriptor, annotations }

/** Image manifests of both makers. */
export const manifest = fc.record(
  {
    ...common,
    mediaType: fc.constantFrom(MEDIA_TYPE.manifest, MEDIA_TYPE.dockerManifest),
    config: descriptor,
    layers: orNull(fc.array(descriptor, { maxLength: 3 })),
  },
  { requiredKeys: ['schemaVersion', 'config', 'layers'] },
)

/** Image indexes of both makers. */
export const index = fc.record(
  {
    ...common,
    mediaType: fc.constantFrom(MEDIA_TYPE.index, MEDIA_TYPE.dockerManifestList),
    manifests: orNull(fc.array(descriptor, { maxLength: 3 })),
  },
  { requiredKeys: ['schemaVersion', 'manifests'] },
)

const names = fc.dictionary(fc.string(), fc.constant({}), { maxKeys: 2 })
const execution = fc.record(
  {
    User: fc.string(),
    ExposedPorts: orNull(names),
    Env: orNull(texts),
    Entrypoint: orNull(texts),
    Cmd: orNull(texts),
    Volumes: orNull(names),
    WorkingDir: fc.string(),
    Labels: orNull(annotations),
    StopSignal: fc.string(),
  },
  { requiredKeys: [] },
)
const history = fc.record(
  { created: fc.string(), author: fc.string(), created_by: fc.string(), empty_layer: fc.boolean() },
  { requiredKeys: [] },
)

/** Image configurations. */
export const config = fc.record(
  {
    ...platformFields,
    created: fc.string(),
    author: fc.string(),
    config: orNull(execution),
    rootfs: fc.record({ type: fc.constant('layers'), diff_ids: orNull(fc.array(digest, { maxLength: 3 })) }),
    history: orNull(fc.array(history, { maxLength: 2 })),
  },
  { requiredKeys: ['architecture', 'os', 'rootfs'] },
)

/** Whole and damaged documents: somewhere in some of them a value is taken away or put in place of another. */
export function damaged(document: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const oddities = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(-1, 1.5, 2 ** 53, 'sha256:ff', `sha256:${'F'.repeat(64)}`, [], {}, null),
  )
  const edits = fc.record({
    at: fc.nat(),
    action: fc.constantFrom('keep', 'drop', 'replace', 'add'),
    value: oddities,
  })
  return fc.tuple(document, edits).map(([value, { at, action, value: odd }]) => {
    const copy = { root: JSON.parse(JSON.stringify(value)) as unknown }
    const places: { parent: Record<string, unknown>; key: string }[] = []
    const look = (parent: Record<string, unknown>): void => {
      for (const [key, child] of Object.entries(parent)) {
        places.push({ parent, key })
        if (typeof child === 'object' && child !== null) look(child as Record<string, unknown>)
      }
    }
    look(copy)
    const { parent, key } = places[at % places.length] as (typeof places)[number]
    if (action === 'replace') parent[key] = odd
    if (action === 'drop' && parent !== copy) {
      if (Array.isArray(parent)) parent.splice(Number(key), 1)
      else delete parent[key]
    }
    if (action === 'add' && typeof copy.root === 'object' && copy.root !== null) {
      const extra = ['manifests', 'layers', 'config', 'annotations', 'unheardOf'][at % 5] as string
      ;(copy.root as Record<string, unknown>)[extra] ??= odd
    }
    return copy.root
  })
}
