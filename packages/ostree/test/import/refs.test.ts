import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { escapeRef, imageRef, layerRef, unescapeRef } from '../../src/import/refs.ts'

describe('refs of images and layers', () => {
  test.each([
    ['docker://quay.io/fedora/fedora-bootc:42', 'docker_3A__2F__2F_quay_2E_io/fedora/fedora-bootc_3A_42'],
    [
      'docker://registry.example.com:5000/a//b@sha256:12',
      'docker_3A__2F__2F_registry_2E_example_2E_com_3A_5000/a/_2F_b_40_sha256_3A_12',
    ],
    ['containers-storage:localhost/my_img:latest', 'containers-storage_3A_localhost/my__img_3A_latest'],
    ['a/', 'a_2F_'],
    ['/a', '_2F_a'],
    ['a-/b', 'a-_2F_b'],
    ['ä/€/𝄞', '_E4__2F__20AC__2F__1D11E_'],
  ])('%s', (text, escaped) => {
    expect(escapeRef(text)).toBe(escaped)
    expect(unescapeRef(escaped)).toBe(text)
  })

  test('stand below the prefixes of ostree-ext', () => {
    expect(layerRef('sha256:0a')).toBe('ostree/container/blob/sha256_3A_0a')
    expect(imageRef('oci:/a/b')).toBe('ostree/container/image/oci_3A__2F_a/b')
  })

  test('hold any text, and nothing of it is lost', async () => {
    await fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ minLength: 1, unit: 'binary' }),
          fc.string({ minLength: 1, unit: fc.constantFrom('a', 'Z', '9', '/', '_', '-', '.', ':', 'é') }),
        ),
        (text) => {
          fc.pre(!text.includes('\0'))
          const escaped = escapeRef(text)
          expect(escaped).toMatch(/^[-_0-9A-Za-z/]+$/)
          expect(escaped).not.toMatch(/^\/|\/\/|\/$/)
          expect(unescapeRef(escaped)).toBe(text)
        },
      ),
      { numRuns: 300 },
    )
  })

  test.each(['', 'a\0b'])('%j cannot be one', (text) => {
    expect(() => escapeRef(text)).toThrow(expect.objectContaining({ code: 'OSTREE_INVALID_REF' }))
  })

  test.each(['_', 'a_', 'a_3', '_3a_', '_110000_', '_41_', '_5F_', 'a_2F_b', '_003A_', 'a.b', '//', '_0_'])(
    '%s was written by nobody',
    (escaped) => {
      expect(() => unescapeRef(escaped)).toThrow(expect.objectContaining({ code: 'OSTREE_INVALID_REF' }))
    },
  )

  test('what can be unescaped is what would be written', async () => {
    await fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('_', '2', 'F', '/', 'a', '-') }), (name) => {
        let text: string
        try {
          text = unescapeRef(name)
        } catch {
          return
        }
        expect(escapeRef(text)).toBe(name)
      }),
      { numRuns: 200 },
    )
  })
})
