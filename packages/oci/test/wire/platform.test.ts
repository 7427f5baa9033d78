import {
  type Descriptor,
  formatPlatform,
  type ImageIndex,
  MEDIA_TYPE,
  parseDigest,
  parsePlatform,
  selectPlatform,
} from '@bootable/oci'
import { describe, expect, test } from 'vitest'

const index = (...platforms: (string | undefined)[]): ImageIndex => ({
  schemaVersion: 2,
  manifests: platforms.map((platform): Descriptor => {
    const descriptor = {
      mediaType: MEDIA_TYPE.manifest,
      digest: parseDigest(`sha256:${'0'.repeat(64)}`),
      size: 2,
    }
    return platform === undefined ? descriptor : { ...descriptor, platform: parsePlatform(platform) }
  }),
})

const ranked = (wanted: string, ...offered: (string | undefined)[]): string[] =>
  selectPlatform(index(...offered), parsePlatform(wanted)).map(
    ({ platform }) => platform && formatPlatform(platform),
  ) as string[]

describe('parsePlatform', () => {
  test.each([
    ['linux/arm64/v8', 'linux/arm64/v8'],
    ['amd64', 'linux/amd64'],
    ['x86_64', 'linux/amd64'],
    ['linux/aarch64', 'linux/arm64'],
    ['armhf', 'linux/arm/v7'],
    ['constructor', 'linux/constructor'],
  ])('%s is %s', (text, expected) => {
    expect(formatPlatform(parsePlatform(text))).toBe(expected)
  })

  test.each(['', '/', 'linux/', '/amd64', 'linux/arm/', 'a/b/c/d', 'linux/amd 64'])('refuses %j', (text) => {
    expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ code: 'PLATFORM_INVALID' }))
  })
})

describe('selectPlatform', () => {
  test('asks for the same system and architecture', () => {
    expect(ranked('linux/amd64', 'windows/amd64', 'linux/arm64', 'linux/amd64', undefined)).toEqual([
      'linux/amd64',
    ])
    expect(ranked('linux/riscv64', 'linux/amd64')).toEqual([])
  })

  test('lower variants of arm run on higher ones, not the other way round', () => {
    expect(ranked('linux/arm/v7', 'linux/arm/v5', 'linux/arm/v8', 'linux/arm/v6', 'linux/arm')).toEqual([
      'linux/arm', // which means v7
      'linux/arm/v6',
      'linux/arm/v5',
    ])
  })

  test('amd64 has levels 1 to 4', () => {
    expect(
      ranked('linux/amd64/v3', 'linux/amd64', 'linux/amd64/v4', 'linux/amd64/v2', 'linux/amd64/v3'),
    ).toEqual(['linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64'])
  })

  test('without a variant the baseline comes first, and a higher one is better than none', () => {
    expect(ranked('linux/amd64', 'linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64')).toEqual([
      'linux/amd64',
      'linux/amd64/v2',
      'linux/amd64/v3',
    ])
    expect(ranked('linux/arm64', 'linux/arm64/v9', 'linux/arm64/v8')).toEqual([
      'linux/arm64/v8',
      'linux/arm64/v9',
    ])
  })
})
