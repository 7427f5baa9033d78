import { portableRuntime } from '@bootable/bytes'
import { deriveSeed, type Image, imageTime, openImage, parseBlueprint } from '@bootable/core'
import { beforeAll, describe, expect, it } from 'vitest'
import { createSampleImage, SAMPLE_CREATED, SAMPLE_REFERENCE } from '../../../tooling/sample/sample-image.ts'

let image: Image
beforeAll(async () => {
  image = await openImage(await createSampleImage(), SAMPLE_REFERENCE)
})

/** The image with another creation time in its configuration. */
function madeAt(created: string | undefined): Image {
  const { created: _, ...rest } = image.config.value
  return { ...image, config: { ...image.config, value: created === undefined ? rest : { ...rest, created } } }
}

describe('deriveSeed', () => {
  const blueprint = (name: string) =>
    parseBlueprint({ customizations: { user: [{ name }] } }, { name: 'test' }).blueprint
  const seed = (given?: ReturnType<typeof blueprint>): string => deriveSeed(image, given, portableRuntime)

  it('is the same for the same image and blueprint', () => {
    expect(seed()).toBe(seed())
    expect(seed(blueprint('anna'))).toBe(seed(blueprint('anna')))
    expect(seed()).toMatch(/^[0-9a-f]{64}$/)
  })

  it('differs with either', async () => {
    expect(new Set([seed(), seed(blueprint('anna')), seed(blueprint('bert'))]).size).toBe(3)
    const digest = `sha256:${'1'.repeat(64)}` as typeof image.manifest.descriptor.digest
    const descriptor = { ...image.manifest.descriptor, digest }
    const other = { ...image, manifest: { ...image.manifest, descriptor } }
    expect(deriveSeed(other, undefined, portableRuntime)).not.toBe(seed())
  })

  it('says nothing of passphrases', () => {
    const encrypted = (passphrase: string) =>
      parseBlueprint({
        customizations: {
          disk: {
            partitions: [{ fs_type: 'xfs', mountpoint: '/', minsize: 1, encryption: { passphrase } }],
          },
        },
      }).blueprint
    expect(seed(encrypted('one'))).toBe(seed(encrypted('two')))
    expect(seed(encrypted('one'))).not.toBe(seed())
  })
})

describe('imageTime', () => {
  it('is the time of creation in whole seconds', () => {
    expect(imageTime(image)).toBe(Date.parse(SAMPLE_CREATED) / 1000)
    expect(imageTime(madeAt('2025-01-01T00:00:00.999999999Z'))).toBe(Date.parse(SAMPLE_CREATED) / 1000)
    expect(imageTime(madeAt('2025-01-01T01:00:00+01:00'))).toBe(Date.parse(SAMPLE_CREATED) / 1000)
  })

  it.each([undefined, 'yesterday', '0001-01-01T00:00:00Z'])('is 0 for %s', (created) => {
    expect(imageTime(madeAt(created))).toBe(0)
  })
})
