import { FormatError, utf8 } from '@bootable/bytes'
import { checkDescriptor, parseConfig, parseIndex, parseLayout, parseManifest } from '@bootable/oci'
import {
  DescriptorSchema,
  ImageConfigSchema,
  ImageIndexSchema,
  ImageLayoutSchema,
  ImageManifestSchema,
} from '@bootable/oci/schemas'
import type { TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { config, damaged, descriptor, index, manifest } from '../documents.ts'

/** The schema and the hand-written validator of each document, and documents to put to both. */
const SUBJECTS: Record<string, [TSchema, (document: unknown) => unknown, fc.Arbitrary<unknown>]> = {
  descriptor: [DescriptorSchema, checkDescriptor, descriptor],
  manifest: [ImageManifestSchema, (document) => parseManifest(json(document)), manifest],
  index: [ImageIndexSchema, (document) => parseIndex(json(document)), index],
  config: [ImageConfigSchema, (document) => parseConfig(json(document)), config],
  layout: [
    ImageLayoutSchema,
    (document) => parseLayout(json(document)),
    fc.constant({ imageLayoutVersion: '1.0.0' }),
  ],
}

function json(document: unknown): Uint8Array {
  return utf8(JSON.stringify(document))
}

function accepts(validate: (document: unknown) => unknown, document: unknown): boolean {
  try {
    validate(document)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError)
    return false
  }
}

describe.each(Object.entries(SUBJECTS))('%s', (_, [schema, validate, documents]) => {
  test('both accept whole documents', () => {
    fc.assert(
      fc.property(documents, (document) => {
        expect(accepts(validate, document)).toBe(true)
        expect(Value.Check(schema, document)).toBe(true)
      }),
    )
  })

  test('both say the same of damaged documents', () => {
    let refused = 0
    fc.assert(
      fc.property(damaged(documents), (document) => {
        const accepted = accepts(validate, document)
        if (!accepted) refused++
        expect(accepted, JSON.stringify(document)).toBe(Value.Check(schema, document))
      }),
      { numRuns: 400 },
    )
    expect(refused).toBeGreaterThan(40)
  })
})

test('the schemas are plain JSON', () => {
  for (const [schema] of Object.values(SUBJECTS)) {
    expect(JSON.parse(JSON.stringify(schema))).toMatchObject({ type: 'object', title: expect.any(String) })
  }
})
