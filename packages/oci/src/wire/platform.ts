import { BootableError } from '@bootable/bytes'
import type { OciErrorCode } from './errors.ts'
import type { Descriptor, ImageIndex, Platform } from './types.ts'

/** What is chosen from an index when nobody says otherwise. */
export const DEFAULT_PLATFORM: Platform = { architecture: 'amd64', os: 'linux' }

/** Names of `uname -m` and of packagers, as Go's `GOARCH` says them. */
const ARCHITECTURES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armv7l: ['arm', 'v7'],
  armv6l: ['arm', 'v6'],
  i386: ['386'],
  i686: ['386'],
  ppc64el: ['ppc64le'],
}

/** The variant that an entry without one stands for: image-spec, "Platform Variants", and containerd. */
const BASELINE: Readonly<Record<string, number>> = { arm: 7, arm64: 8, amd64: 1 }

/**
 * A platform from `os/architecture[/variant]` or an architecture alone; names of `uname -m` are
 * understood.
 * @throws BootableError `PLATFORM_INVALID`
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/')
  const [os, name, variant] = parts.length === 1 ? ['linux', text] : parts
  if (parts.length > 3 || !os || !name || variant === '' || !/^[\w./-]+$/.test(text)) {
    throw new BootableError<OciErrorCode>('PLATFORM_INVALID', `not a platform: ${JSON.stringify(text)}`, {
      details: { platform: text },
      hint: 'write os/architecture or os/architecture/variant, such as linux/arm64',
    })
  }
  const [architecture, implied] = Object.hasOwn(ARCHITECTURES, name)
    ? (ARCHITECTURES[name] ?? [name])
    : [name]
  const level = variant ?? implied
  return level === undefined ? { architecture, os } : { architecture, os, variant: level }
}

/** `os/architecture[/variant]`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`
}

/**
 * How well what is `offered` runs where `wanted` is: 0 is best, `undefined` not at all.
 *
 * With a variant wanted, that one is best and lower ones of arm, arm64 and amd64 are compatible. With
 * none wanted the baseline (arm v7, arm64 v8, amd64 v1) and what is below come first, higher ones last:
 * nothing is run here, so an image that has only a higher one is not refused.
 */
export function rankPlatform(offered: Platform, wanted: Platform): number | undefined {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return undefined
  const version = wanted['os.version']
  if (version !== undefined && offered['os.version'] !== version) return undefined
  if (offered.variant === wanted.variant && wanted.variant !== undefined) return 0

  const baseline = BASELINE[wanted.architecture]
  const has = variantLevel(offered.variant, baseline)
  const wants = variantLevel(wanted.variant, baseline)
  if (has === undefined || wants === undefined) {
    // A variant of which nothing is known fits where none was asked for, or none was said.
    return wanted.variant === undefined || offered.variant === undefined ? 100 : undefined
  }
  if (has <= wants) return wants - has
  return wanted.variant === undefined ? 50 + has - wants : undefined
}

function variantLevel(variant: string | undefined, baseline: number | undefined): number | undefined {
  if (baseline === undefined) return undefined
  if (variant === undefined || variant === '') return baseline
  const match = /^v([1-9])(?:\.(\d))?$/.exec(variant)
  return match ? Number(match[1]) + Number(match[2] ?? 0) / 10 : undefined
}

/** The entries of an index that run on a platform, best first; entries that name none are left out. */
export function selectPlatform(index: ImageIndex, wanted: Platform): readonly Descriptor[] {
  const ranked: { entry: Descriptor; rank: number }[] = []
  for (const entry of index.manifests) {
    const rank = entry.platform && rankPlatform(entry.platform, wanted)
    if (rank !== undefined) ranked.push({ entry, rank })
  }
  return ranked.sort((a, b) => a.rank - b.rank).map(({ entry }) => entry)
}
