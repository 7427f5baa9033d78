import { sign } from 'node:crypto'
import { rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildDisk, memoryOutput, openImage } from '@bootable/core'
import { buildDiskFiles, openImageSource, planDiskFiles, verifyImageSource } from '@bootable/core/node'
import { createLayout } from '@bootable/oci/node'
import { keyPolicy } from '@bootable/signatures'
import { sigstoreVerifier } from '@bootable/signatures/node'
import { beforeAll, describe, expect, test } from 'vitest'
import { MINIMAL_MACHINE, tarOf, writeLayout } from '../../../../tooling/images.ts'
import { temporaryFolder } from '../../../../tooling/oracles.ts'
import { annotationsOf, attach, keyPair, pemSource, simpleSigning } from '../../../../tooling/signing.ts'

describe('a policy', () => {
  const folder = temporaryFolder()
  const layout = join(folder, 'layout')
  const policyFile = join(folder, 'policy.json')
  const image = `oci:${layout}:latest`
  const [trusted, other] = [keyPair(), keyPair()]
  const key = pemSource(trusted)

  beforeAll(async () => {
    writeLayout(layout, { layers: [{ tar: tarOf(MINIMAL_MACHINE) }] })
    const store = await createLayout(layout)
    const { manifest } = await openImage(store, 'latest')
    const { digest } = manifest.descriptor
    const payload = simpleSigning(digest)
    await attach(store, digest, [
      { payload, annotations: annotationsOf(sign('sha256', payload, trusted.privateKey)) },
    ])
    // A refusal must not have needed this.
    const [layer] = manifest.value.layers
    await rm(join(layout, 'blobs/sha256', layer?.digest.slice('sha256:'.length) as string))
  })

  test('lets a signed image be opened', async () => {
    const opened = await openImageSource(image, { policy: keyPolicy([key]) })
    expect(opened.image.layers).toHaveLength(1)
    await opened.close()
  })

  test('is asked without refusing anything', async () => {
    const good = await verifyImageSource(image, { policy: keyPolicy([key]) })
    expect(good).toMatchObject({ accepted: true, requirements: [{ signatures: [{ kind: 'attachment' }] }] })
    const bad = await verifyImageSource(image, { policy: keyPolicy([pemSource(other)]) })
    expect(bad).toMatchObject({ accepted: false, requirements: [{ code: 'SIGNATURE_INVALID' }] })
  })

  test('refuses before a layer is read, and nothing is written', async () => {
    const options = { image, policy: keyPolicy([pemSource(other)]), layout: 'plain', cache: false } as const
    const output = join(folder, 'out')
    await expect(buildDiskFiles({ ...options, output })).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' })
    await expect(planDiskFiles(options)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' })
    const opened = await openImageSource(image)
    const location = { transport: 'oci', path: layout }
    const asked = { policy: options.policy, location, verifier: sigstoreVerifier() }
    const built = buildDisk({
      image: opened.image,
      outputs: [memoryOutput('raw')],
      layout: 'plain',
      policy: asked,
    })
    await expect(built).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' })
    await opened.close()
    // Without a policy the missing layer is what stops it.
    const { policy: _, ...without } = options
    await expect(planDiskFiles(without)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  })

  test('from a file speaks of the path of the layout, links followed', async () => {
    const link = join(folder, 'link')
    await symlink(layout, link)
    const accept = [{ type: 'insecureAcceptAnything' }]
    await writeFile(
      policyFile,
      JSON.stringify({ default: [{ type: 'reject' }], transports: { oci: { [layout]: accept } } }),
    )
    await (await openImageSource(`oci:${link}:latest`, { policy: policyFile })).close()
    await writeFile(
      policyFile,
      JSON.stringify({ default: accept, transports: { oci: { '': [{ type: 'reject' }] } } }),
    )
    await expect(openImageSource(image, { policy: policyFile })).rejects.toMatchObject({
      code: 'POLICY_REJECTED',
      details: { scope: 'oci: every image' },
    })
    await writeFile(policyFile, '{"default":[]}')
    await expect(openImageSource(image, { policy: policyFile })).rejects.toMatchObject({
      code: 'POLICY_INVALID',
    })
  })
})
