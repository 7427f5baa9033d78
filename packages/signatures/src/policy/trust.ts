import { decodeBase64 } from '../payload/base64.ts'
import { below, invalid, type PolicyObject, readList, readObject, readText } from './json.ts'
import type { SignatureTrust, TrustSource } from './types.ts'

/** Fields of a `sigstoreSigned` that say whom it trusts. */
export const TRUST_FIELDS = [
  ...['keyPath', 'keyPaths', 'keyData', 'keyDatas', 'fulcio', 'pki'],
  ...['rekorPublicKeyPath', 'rekorPublicKeyPaths', 'rekorPublicKeyData', 'rekorPublicKeyDatas'],
] as const

const PKI_FIELDS = [
  ...['caRootsPath', 'caRootsData', 'caIntermediatesPath', 'caIntermediatesData'],
  ...['subjectEmail', 'subjectHostname'],
]

/** Reads whom a `sigstoreSigned` trusts: exactly one kind of key, and logs where they are wanted. */
export function readTrust(fields: PolicyObject, path: string): SignatureTrust {
  const keys = readSources(fields, path, 'key')
  const rekorKeys = readSources(fields, path, 'rekorPublicKey')
  const given = [keys, fields.fulcio, fields.pki].filter((each) => each !== undefined)
  if (given.length !== 1) {
    throw invalid(path, 'exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio and pki is needed')
  }
  if (keys) return { type: 'keys', keys, ...(rekorKeys && { rekorKeys }) }
  if (fields.pki !== undefined) {
    readObject(fields.pki, below(path, 'pki'), PKI_FIELDS)
    return { type: 'pki' }
  }
  if (!rekorKeys)
    throw invalid(path, 'fulcio needs a rekorPublicKey, which tells when a certificate was used')
  const place = below(path, 'fulcio')
  const fulcio = readObject(fields.fulcio, place, ['caPath', 'caData', 'oidcIssuer', 'subjectEmail'])
  const ca = readSources(fulcio, place, 'ca')?.[0]
  if (!ca) throw invalid(place, 'exactly one of caPath and caData is needed')
  return {
    type: 'fulcio',
    ca,
    oidcIssuer: readText(fulcio.oidcIssuer, below(place, 'oidcIssuer')),
    subjectEmail: readText(fulcio.subjectEmail, below(place, 'subjectEmail')),
    rekorKeys,
  }
}

/** What stands under `keyPath`, `keyPaths`, `keyData` or `keyDatas`, and likewise for other names. */
function readSources(fields: PolicyObject, path: string, name: string): readonly TrustSource[] | undefined {
  const given = ['Path', 'Paths', 'Data', 'Datas']
    .map((ending) => name + ending)
    .filter((key) => key in fields)
  if (given.length > 1) throw invalid(path, `of ${given.join(', ')} only one may be given`)
  const [key] = given
  if (key === undefined) return undefined
  const place = below(path, key)
  const read = key.includes('Path')
    ? (value: unknown, at: string): TrustSource => ({ path: readText(value, at) })
    : readData
  return key.endsWith('s') ? readList(fields[key], place, read) : [read(fields[key], place)]
}

function readData(value: unknown, path: string): TrustSource {
  const data = decodeBase64(readText(value, path))
  if (!data) throw invalid(path, 'it is not base64')
  return { data }
}
