import type { HashAlgorithm } from '@bootable/bytes'
import { BootableError, portableRuntime, type RuntimeOptions, toHex } from '@bootable/bytes'
import type { OciErrorCode } from './errors.ts'

declare const DIGEST: unique symbol

/** `algorithm:encoded`, checked by {@link parseDigest}: safe in paths and URLs. */
export type Digest = `${string}:${string}` & { readonly [DIGEST]: true }

/** The registered algorithms with the digits that each has: image-spec, "Digests". */
export const DIGEST_PATTERN = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|blake3:[0-9a-f]{64})$/

/** `algorithm ":" encoded` of image-spec, "Digests", for algorithms that are not registered. */
const UNREGISTERED = /^(?!sha256:|sha512:|blake3:)[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]{1,256}$/

/** Whether a text is a digest of a registered algorithm. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && DIGEST_PATTERN.test(text)
}

/**
 * A digest from a text. Upper-case digits and wrong lengths are refused, as the specification asks: a
 * digest goes into paths and URLs (CVE-2024-3727).
 * @throws BootableError `DIGEST_INVALID`; `DIGEST_UNSUPPORTED` for an algorithm that is not registered
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text
  const shown = JSON.stringify(text.slice(0, 200))
  if (text.length <= 512 && UNREGISTERED.test(text)) {
    throw new BootableError<OciErrorCode>('DIGEST_UNSUPPORTED', `unknown digest algorithm in ${shown}`, {
      details: { digest: text },
    })
  }
  throw new BootableError<OciErrorCode>('DIGEST_INVALID', `not a digest: ${shown}`, {
    details: { digest: text },
    hint: 'a digest is written sha256: and 64 lower-case hexadecimal digits',
  })
}

/** The two halves of a digest. */
export function splitDigest(digest: Digest): { algorithm: string; encoded: string } {
  const colon = digest.indexOf(':')
  return { algorithm: digest.slice(0, colon), encoded: digest.slice(colon + 1) }
}

/**
 * The algorithm of a digest, if it can be computed here.
 * @throws BootableError `DIGEST_UNSUPPORTED`
 */
export function hashAlgorithm(digest: Digest): HashAlgorithm {
  const { algorithm } = splitDigest(digest)
  if (algorithm === 'sha256' || algorithm === 'sha512') return algorithm
  throw new BootableError<OciErrorCode>('DIGEST_UNSUPPORTED', `${algorithm} digests cannot be checked`, {
    details: { digest, algorithm },
  })
}

/** The digest whose hash these bytes are. */
export function digestOf(algorithm: HashAlgorithm, hash: Uint8Array): Digest {
  return `${algorithm}:${toHex(hash)}` as Digest
}

/** The digest of bytes that are in memory. */
export function digestBytes(
  bytes: Uint8Array,
  options: RuntimeOptions & { readonly algorithm?: HashAlgorithm } = {},
): Digest {
  const { runtime = portableRuntime, algorithm = 'sha256' } = options
  return digestOf(algorithm, runtime.createHash(algorithm).update(bytes).digest())
}
