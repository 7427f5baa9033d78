import { describe, expect, it } from 'vitest'
import { formatTargetImage, parseOrigin, parseTargetReference } from '../../src/index.ts'

describe('parseTargetReference', () => {
  it.each([
    ['ostree-unverified-registry:quay.io/a/b:1', 'docker://quay.io/a/b:1', { type: 'unverified' }],
    ['ostree-unverified-image:docker://quay.io/a/b:1', 'docker://quay.io/a/b:1', { type: 'unverified' }],
    ['ostree-unverified-image:registry:quay.io/a/b', 'docker://quay.io/a/b', { type: 'unverified' }],
    [
      'ostree-unverified-image:containers-storage:localhost/x',
      'containers-storage:localhost/x',
      { type: 'unverified' },
    ],
    ['ostree-unverified-image:oci-archive:/a.tar:x', 'oci-archive:/a.tar:x', { type: 'unverified' }],
    ['ostree-image-signed:docker://quay.io/a/b', 'docker://quay.io/a/b', { type: 'container-policy' }],
    [
      'ostree-remote-image:fedora:docker://quay.io/a/b',
      'docker://quay.io/a/b',
      { type: 'ostree-remote', remote: 'fedora' },
    ],
    [
      'ostree-remote-registry:fedora:quay.io/a/b@sha256:1',
      'docker://quay.io/a/b@sha256:1',
      { type: 'ostree-remote', remote: 'fedora' },
    ],
  ])('reads %s', (text, image, signature) => {
    const reference = parseTargetReference(text)
    expect(formatTargetImage(reference)).toBe(image)
    expect(reference.signature).toEqual(signature)
  })

  it.each([
    '',
    'quay.io/a/b',
    'docker://quay.io/a/b',
    'ostree-unverified-registry:',
    'ostree-unverified-image:quay.io/a/b:1',
    'ostree-unverified-image:docker:quay.io/a/b',
    'ostree-unverified-image:docker://',
    'ostree-image-signed:floppy:a',
    'ostree-remote-image:fedora',
  ])('refuses %j', (text) => {
    expect(() => parseTargetReference(text)).toThrow(
      expect.objectContaining({ code: 'OSTREE_INVALID_REFERENCE' }),
    )
  })
})

describe('parseOrigin', () => {
  it('reads what bootc writes', () => {
    expect(
      parseOrigin('[origin]\ncontainer-image-reference=ostree-unverified-registry:quay.io/a/b:1\n'),
    ).toEqual({
      image: { transport: 'docker', name: 'quay.io/a/b:1', signature: { type: 'unverified' } },
      pinned: false,
      localChanges: [],
    })
  })

  it('reads what ostree and rpm-ostree write', () => {
    const text =
      '[origin]\nbaserefspec=fedora:x\n\n[packages]\nrequested=vim;\n[libostree-transient]\npinned=true\n'
    expect(parseOrigin(text)).toEqual({ refspec: 'fedora:x', pinned: true, localChanges: ['packages'] })
    expect(parseOrigin('[origin]\nrefspec=a/b\n')).toMatchObject({ refspec: 'a/b', pinned: false })
    expect(parseOrigin('')).toEqual({ pinned: false, localChanges: [] })
  })
})
