import { createPublicKey, type KeyObject } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { BootableError, formatSize, MiB } from '@bootable/bytes'
import { X509Certificate } from '@sigstore/core'
import type { SignaturesErrorCode } from '../errors.ts'
import type { TrustSource } from '../policy/types.ts'

/** Bytes of a policy, a key or a trusted root: sigstore's own root has 7 KiB. */
const MAX_TRUST_FILE = 4 * MiB

/**
 * The bytes of a source.
 * @throws BootableError `POLICY_UNREADABLE`
 */
export async function readTrust(source: TrustSource): Promise<Uint8Array> {
  if ('data' in source) return source.data
  const { path } = source
  const refuse = (reason: string, cause?: unknown): BootableError<SignaturesErrorCode> =>
    new BootableError('POLICY_UNREADABLE', `cannot read ${path}: ${reason}`, {
      details: { path },
      hint: 'an image whose policy cannot be read is not used',
      ...(cause !== undefined && { cause }),
    })
  try {
    const { size } = await stat(path)
    if (size > MAX_TRUST_FILE)
      throw refuse(`it has ${formatSize(size)}; ${formatSize(MAX_TRUST_FILE)} are allowed`)
    return await readFile(path)
  } catch (error) {
    throw BootableError.is(error) ? error : refuse((error as Error).message, error)
  }
}

/** A public key in PEM. A private key or a certificate in its place is a mistake, not another way to say it. */
export async function readPublicKey(source: TrustSource): Promise<KeyObject> {
  const pem = textOf(await readTrust(source))
  if (!/^\s*-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(pem))
    throw unusable(source, 'it is not a public key in PEM')
  try {
    return createPublicKey(pem)
  } catch (error) {
    throw unusable(source, (error as Error).message)
  }
}

/**
 * Reads a public key as the verifier will, to tell a mistake before an image is asked for.
 * @throws BootableError `POLICY_UNREADABLE`, `POLICY_INVALID`
 */
export async function checkPublicKey(source: TrustSource): Promise<void> {
  await readPublicKey(source)
}

/** The certificates of a PEM file. */
export async function readCertificates(source: TrustSource): Promise<readonly X509Certificate[]> {
  const pem = textOf(await readTrust(source))
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw unusable(source, 'it holds no certificate in PEM')
  try {
    return blocks.map((block) => X509Certificate.parse(block))
  } catch (error) {
    throw unusable(source, (error as Error).message)
  }
}

/** A JSON document. */
export async function readJson(source: TrustSource): Promise<unknown> {
  try {
    return JSON.parse(textOf(await readTrust(source)))
  } catch (error) {
    throw BootableError.is(error) ? error : unusable(source, (error as Error).message)
  }
}

export function unusable(source: TrustSource, reason: string): BootableError<SignaturesErrorCode> {
  const name = 'path' in source ? source.path : 'data of the policy'
  return new BootableError('POLICY_INVALID', `${name}: ${reason.slice(0, 300)}`, {
    details: { source: name },
  })
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
