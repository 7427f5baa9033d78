import { formatOrigin, formatTargetReference, typedTargetReference } from '@bootable/ostree'
import { describe, expect, it } from 'vitest'
import { parseOrigin } from '../../src/sysroot/origin.ts'
import { deploy, textOf } from './machine.ts'

const REGISTRY = 'ostree-unverified-registry:quay.io/example/os:latest'

describe('a reference as people type it', () => {
  it.each([
    ['quay.io/example/os:latest', REGISTRY],
    ['docker://quay.io/example/os:latest', REGISTRY],
    ['registry:quay.io/example/os:latest', REGISTRY],
    [REGISTRY, REGISTRY],
    ['ostree-unverified-image:registry:quay.io/example/os:latest', REGISTRY],
    ['localhost:5000/os', 'ostree-unverified-registry:localhost:5000/os'],
    ['oci-registry/os', 'ostree-unverified-registry:oci-registry/os'],
    ['oci:/srv/os:1', 'ostree-unverified-image:oci:/srv/os:1'],
    ['oci-archive:/srv/os.tar', 'ostree-unverified-image:oci-archive:/srv/os.tar'],
    ['containers-storage:localhost/x', 'ostree-unverified-image:containers-storage:localhost/x'],
    ['ostree-image-signed:docker://quay.io/x', 'ostree-image-signed:docker://quay.io/x'],
    ['ostree-image-signed:registry:quay.io/x', 'ostree-image-signed:docker://quay.io/x'],
    ['ostree-remote-image:fedora:docker://quay.io/x', 'ostree-remote-image:fedora:docker://quay.io/x'],
    ['ostree-remote-registry:fedora:quay.io/x', 'ostree-remote-image:fedora:docker://quay.io/x'],
  ])('%s', (typed, written) => {
    const target = typedTargetReference(typed)
    expect(formatTargetReference(target)).toBe(written)
    expect(formatOrigin(target)).toBe(`[origin]\ncontainer-image-reference=${written}\n`)
    expect(parseOrigin(formatOrigin(target)).image).toEqual(target)
  })

  it('keeps a backslash, which GLib would take for the beginning of an escape', () => {
    const target = typedTargetReference('oci:/srv/a\\nb')
    expect(formatOrigin(target)).toBe(
      '[origin]\ncontainer-image-reference=ostree-unverified-image:oci:/srv/a\\\\nb\n',
    )
    expect(parseOrigin(formatOrigin(target)).image).toEqual(target)
  })

  it('is verified as it says itself, else as the image asks', () => {
    const signature = { type: 'container-policy' } as const
    expect(formatTargetReference(typedTargetReference('quay.io/x', signature))).toBe(
      'ostree-image-signed:docker://quay.io/x',
    )
    expect(formatTargetReference(typedTargetReference(REGISTRY, signature))).toBe(REGISTRY)
  })

  it.each(['', 'a b', 'a\n[x]', 'docker:quay.io/x', 'docker://', 'oci:', 'ostree-image-signed:x'])(
    '%j is none',
    (text) => {
      expect(() => typedTargetReference(text)).toThrow(
        expect.objectContaining({ code: 'OSTREE_INVALID_REFERENCE' }),
      )
    },
  )
})

describe('the origin of a deployment', () => {
  it('names where the machine updates from', async () => {
    const { sysroot, deployment } = await deploy(
      {},
      { targetReference: 'docker://quay.io/example/os:latest' },
    )
    expect(deployment?.reference).toBe(REGISTRY)
    expect(await textOf(sysroot, `${deployment?.path}.origin`)).toBe(
      `[origin]\ncontainer-image-reference=${REGISTRY}\n`,
    )
  })

  it('asks for signatures where the image enforces them', async () => {
    const text = '[install]\nenforce-container-sigpolicy = true\n'
    const { deployment } = await deploy({ 'usr/lib/bootc/install/a.toml': text })
    expect(deployment?.reference).toBe('ostree-image-signed:docker://quay.io/example/os:latest')
  })

  it('is looked at before any layer', async () => {
    await expect(deploy({}, { targetReference: 'oci:' })).rejects.toMatchObject({
      code: 'OSTREE_INVALID_REFERENCE',
    })
  })
})
