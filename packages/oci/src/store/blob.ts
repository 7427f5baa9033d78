import type { ByteSource, OperationOptions, RuntimeOptions } from '@bootable/bytes'
import { BootableError, portableRuntime, streamSource } from '@bootable/bytes'
import { digestOf, hashAlgorithm } from '../wire/digest.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import type { Descriptor } from '../wire/types.ts'
import type { BlobSource } from './store.ts'

/** Options of {@link verifyBlob}. */
export interface VerifyBlobOptions extends OperationOptions, RuntimeOptions {
  /** Bytes of the blob that were left out at its start; then only the length is checked. @defaultValue 0 */
  readonly offset?: number
  /** Those bytes, where they are at hand: they are hashed first, so that the digest is checked after all. */
  readonly before?: AsyncIterable<Uint8Array>
}

/**
 * Passes chunks on and checks them against a descriptor: hashed once, on the way.
 *
 * More bytes than promised are refused before they are passed on; fewer, or a wrong hash, at the end.
 * Progress is told under the digest as id.
 * @throws BootableError `SIZE_MISMATCH`, `DIGEST_MISMATCH`, `DIGEST_UNSUPPORTED`
 */
export async function* verifyBlob(
  chunks: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
  options: VerifyBlobOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { runtime = portableRuntime, signal, onProgress, offset = 0, before } = options
  const { digest, size } = descriptor
  const algorithm = hashAlgorithm(digest)
  const hash = offset === 0 || before ? runtime.createHash(algorithm) : undefined
  onProgress?.({
    type: 'start',
    id: digest,
    label: `blob ${shortDigest(digest)}`,
    unit: 'bytes',
    total: size,
  })

  for await (const chunk of before ?? []) {
    signal?.throwIfAborted()
    hash?.update(chunk)
  }
  if (offset > 0) onProgress?.({ type: 'advance', id: digest, done: offset, total: size })
  let length = offset
  for await (const chunk of chunks) {
    signal?.throwIfAborted()
    length += chunk.length
    if (length > size) throw sizeMismatch(descriptor, length)
    hash?.update(chunk)
    onProgress?.({ type: 'advance', id: digest, done: length, total: size })
    yield chunk
  }
  if (length !== size) throw sizeMismatch(descriptor, length)
  const actual = hash && digestOf(algorithm, hash.digest())
  if (actual !== undefined && actual !== digest) throw digestMismatch(descriptor, actual)
  onProgress?.({ type: 'end', id: digest })
}

/** Checks bytes that are in memory against a descriptor, as {@link verifyBlob} does for a stream. */
export function verifyBytes(
  bytes: Uint8Array,
  descriptor: Pick<Descriptor, 'digest' | 'size'>,
  options: RuntimeOptions = {},
): void {
  const { runtime = portableRuntime } = options
  if (bytes.length !== descriptor.size) throw sizeMismatch(descriptor, bytes.length)
  const algorithm = hashAlgorithm(descriptor.digest)
  const actual = digestOf(algorithm, runtime.createHash(algorithm).update(bytes).digest())
  if (actual !== descriptor.digest) throw digestMismatch(descriptor, actual)
}

/** A source of bytes, as content for a store. */
export function blobOf(source: ByteSource): BlobSource {
  return {
    size: source.size,
    open: async (options = {}) =>
      streamSource(source, {
        offset: options.offset ?? 0,
        ...(options.signal && { signal: options.signal }),
      }),
  }
}

/** The first 12 digits of a digest, as the tools show it to people. */
export function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12)
}

function sizeMismatch(
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  actual: number,
): BootableError<OciErrorCode> {
  const found = actual > size ? 'there are more' : `there are ${actual}`
  return new BootableError('SIZE_MISMATCH', `${digest} should have ${size} bytes, but ${found}`, {
    details: { digest, expected: size, actual },
    hint: 'the copy is damaged or was cut: fetch it again',
  })
}

function digestMismatch({ digest }: Pick<Descriptor, 'digest'>, actual: string): BootableError<OciErrorCode> {
  return new BootableError('DIGEST_MISMATCH', `the content of ${digest} has the digest ${actual}`, {
    details: { expected: digest, actual },
    hint: 'the copy is damaged or was tampered with: fetch it again',
  })
}
