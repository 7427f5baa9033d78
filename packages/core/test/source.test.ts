import { formatImageSource, type ImageSource, parseImageSource } from '@bootable/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe('parseImageSource', () => {
  it.each<[string, ImageSource]>([
    ['quay.io/fedora/fedora-bootc:42', { transport: 'docker', reference: 'quay.io/fedora/fedora-bootc:42' }],
    ['docker://debian', { transport: 'docker', reference: 'debian' }],
    ['localhost:5000/a/b', { transport: 'docker', reference: 'localhost:5000/a/b' }],
    ['oci:folder', { transport: 'oci', path: 'folder', reference: '' }],
    ['oci:/a/b:tag', { transport: 'oci', path: '/a/b', reference: 'tag' }],
    ['oci-archive:x.tar:v1.0', { transport: 'oci-archive', path: 'x.tar', reference: 'v1.0' }],
    [
      'docker-archive:x.tar:host:5000/a/b:tag',
      { transport: 'docker-archive', path: 'x.tar', reference: 'host:5000/a/b:tag' },
    ],
    ['oci:C:\\images\\x:tag', { transport: 'oci', path: 'C:\\images\\x', reference: 'tag' }],
    [
      `oci-archive:x.tar@sha256:${'0'.repeat(64)}`,
      { transport: 'oci-archive', path: 'x.tar', reference: `sha256:${'0'.repeat(64)}` },
    ],
    ['containers-storage:os', { transport: 'containers-storage', reference: 'os' }],
    ['containers-storage:', { transport: 'containers-storage', reference: '' }],
    [
      'containers-storage:[overlay@/a/b+/run/c]localhost/os:1',
      { transport: 'containers-storage', storage: 'overlay@/a/b+/run/c', reference: 'localhost/os:1' },
    ],
    ['docker-daemon:debian:13', { transport: 'docker-daemon', reference: 'debian:13' }],
  ])('reads %s', (text, source) => {
    expect(parseImageSource(text)).toEqual(source)
  })

  it.each([
    '',
    'docker:',
    'docker://',
    'docker:debian',
    'oci:',
    'oci-archive::tag',
    'docker-daemon:',
    'containers-storage:[/a',
    'containers-storage:[]x',
  ])('refuses "%s"', (text) => {
    expect(() => parseImageSource(text)).toThrow(expect.objectContaining({ code: 'SOURCE_INVALID' }))
  })

  it.each(['sif:x', 'ostree:x', 'dir:/x'])('says what to do about %s', (text) => {
    expect(() => parseImageSource(text)).toThrow(
      expect.objectContaining({ code: 'SOURCE_UNSUPPORTED', hint: expect.stringContaining('skopeo copy') }),
    )
  })

  it('reads what formatImageSource writes', () => {
    const path = fc.stringMatching(/^[A-Za-z0-9._/ -]{2,30}$/)
    const name = fc.stringMatching(
      /^([a-z0-9]{1,8}(:[0-9]{1,4})?\/)?[a-z0-9._-]{1,12}(:[A-Za-z0-9._-]{1,8})?$/,
    )
    const digest = fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `sha256:${hex}`)
    const transport = fc.constantFrom('oci' as const, 'oci-archive' as const, 'docker-archive' as const)
    const source = fc.oneof(
      fc.record({
        transport,
        path,
        reference: fc.oneof(fc.constant(''), name, digest),
      }),
      fc.record({ transport: fc.constantFrom('docker' as const, 'docker-daemon' as const), reference: name }),
      fc.record(
        { transport: fc.constant('containers-storage' as const), storage: path, reference: name },
        { requiredKeys: ['transport', 'reference'] },
      ),
    )
    fc.assert(
      fc.property(source, (given) => {
        expect(parseImageSource(formatImageSource(given))).toEqual(given)
      }),
    )
  })

  it('answers every text with a source or with an error of its own', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseImageSource(text)
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^SOURCE_/) })
        }
      }),
    )
  })
})
