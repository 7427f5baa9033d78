import { FormatError, utf8 } from '@bootable/bytes'
import {
  createManifest,
  digestBytes,
  MEDIA_TYPE,
  parseConfig,
  parseIndex,
  parseLayout,
  parseManifest,
} from '@bootable/oci'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { config, index, manifest } from '../documents.ts'

const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value))
const DESCRIPTOR = { mediaType: MEDIA_TYPE.config, digest: `sha256:${'0'.repeat(64)}`, size: 2 }
const MANIFEST = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config: DESCRIPTOR, layers: [] }
const INDEX = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] }

describe('parsing', () => {
  test('keeps fields that nobody knows', () => {
    const value = { ...MANIFEST, unheardOf: { a: [1] }, config: { ...DESCRIPTOR, more: true } }
    expect(parseManifest(json(value))).toEqual(value)
  })

  test('takes null for an empty list, as umoci writes it', () => {
    expect(parseIndex(utf8('{"schemaVersion":2,"manifests":null}')).manifests).toEqual([])
    expect(parseManifest(json({ ...MANIFEST, layers: null })).layers).toEqual([])
    const rootfs = { type: 'layers', diff_ids: null }
    expect(parseConfig(json({ architecture: 'amd64', os: 'linux', rootfs })).rootfs.diff_ids).toEqual([])
  })

  test('says where the document is wrong', () => {
    const layers = [DESCRIPTOR, { ...DESCRIPTOR, size: -1 }]
    expect(() => parseManifest(json({ ...MANIFEST, layers }))).toThrow(
      'image manifest: layers[1].size: it is -1, not a count of bytes',
    )
    expect(() => parseManifest(json({ ...MANIFEST, config: undefined }))).toThrow(
      'image manifest: config: it is missing, not a value',
    )
  })

  test.each([
    ['not JSON', utf8('{')],
    ['not UTF-8', new Uint8Array([0x7b, 0xff, 0x7d])],
    ['not an object', utf8('[]')],
    ['nothing', new Uint8Array()],
    ['schema 1', json({ schemaVersion: 1 })],
    ['a hundred thousand arrays in each other', utf8(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
    ['the same in a field', utf8(`{"schemaVersion":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)],
  ])('refuses %s', (_, raw) => {
    for (const parse of [parseManifest, parseIndex, parseConfig, parseLayout]) {
      expect(() => parse(raw)).toThrow(FormatError)
    }
  })

  test('bytes that are cut anywhere, or random ones, end in a FormatError', () => {
    const documents: [(raw: Uint8Array) => unknown, fc.Arbitrary<unknown>][] = [
      [parseManifest, manifest],
      [parseIndex, index],
      [parseConfig, config],
    ]
    for (const [parse, documentsOfKind] of documents) {
      const cut = fc
        .tuple(documentsOfKind, fc.double({ min: 0, max: 0.999, noNaN: true }))
        .map(([value, part]) => {
          const raw = json(value)
          return raw.subarray(0, Math.floor(raw.length * part))
        })
      fc.assert(
        fc.property(fc.oneof(cut, fc.uint8Array({ maxLength: 64 })), (raw) => {
          expect(() => parse(raw)).toThrow(FormatError)
        }),
      )
    }
  })
})

describe('index and manifest are not confused (CVE-2021-41190)', () => {
  test.each([
    ['a manifest with manifests', { ...MANIFEST, manifests: [] }],
    ['an index with layers', { ...INDEX, layers: [] }],
    ['an index with a config', { ...INDEX, config: DESCRIPTOR }],
    ['a manifest with Manifests, which Go takes for manifests', { ...MANIFEST, Manifests: [] }],
    ['an index with LAYERS', { ...INDEX, LAYERS: [] }],
  ])('%s is refused', (_, value) => {
    expect(() => createManifest(json(value))).toThrow(FormatError)
    for (const mediaType of [MEDIA_TYPE.index, MEDIA_TYPE.manifest]) {
      expect(() => createManifest(json(value), { mediaType })).toThrow(FormatError)
    }
  })

  test('what the document says of itself must be what others say of it', () => {
    expect(() => createManifest(json(MANIFEST), { mediaType: MEDIA_TYPE.dockerManifest })).toThrow(
      FormatError,
    )
    expect(() => createManifest(json(INDEX), { mediaType: MEDIA_TYPE.manifest })).toThrow(FormatError)
    const raw = json({ ...MANIFEST, mediaType: undefined })
    const descriptor = { mediaType: MEDIA_TYPE.dockerManifest, digest: digestBytes(raw), size: raw.length }
    expect(createManifest(raw, { descriptor }).mediaType).toBe(MEDIA_TYPE.dockerManifest)
    expect(() => createManifest(raw, { descriptor, mediaType: MEDIA_TYPE.manifest })).toThrow(FormatError)
  })

  test('without any word of it the shape decides', () => {
    expect(createManifest(utf8('{"schemaVersion":2,"manifests":[]}')).mediaType).toBe(MEDIA_TYPE.index)
    expect(createManifest(json({ ...MANIFEST, mediaType: undefined })).mediaType).toBe(MEDIA_TYPE.manifest)
  })

  test('schema 1 and other media types are refused by name', () => {
    const mediaType = 'application/vnd.docker.distribution.manifest.v1+prettyjws'
    expect(() => createManifest(json({ schemaVersion: 1 }), { mediaType })).toThrow(
      expect.objectContaining({ code: 'MEDIA_TYPE_UNSUPPORTED', hint: expect.stringContaining('schema 1') }),
    )
  })
})
