import { below, invalid, parseStrictJson, readList, readObject, readText } from './json.ts'
import { readSignedIdentity } from './signed-identity.ts'
import { readTrust, TRUST_FIELDS } from './trust.ts'
import type { Policy, PolicyRequirement } from './types.ts'

/** Fields of the requirements that are known but never met here: they are checked by name alone. */
const GPG_FIELDS = ['type', 'keyType', 'keyPath', 'keyPaths', 'keyData', 'signedIdentity']

/**
 * A policy from the bytes of a policy.json, read as strictly as podman and skopeo do: an unknown key, a key
 * that stands twice or an empty list of requirements is an error, not a thing to overlook.
 * @throws BootableError `POLICY_INVALID`
 */
export function parsePolicy(raw: Uint8Array): Policy {
  const fields = readObject(parseStrictJson(raw), '', ['default', 'transports'])
  if (fields.default === undefined) throw invalid('default', 'it is missing')
  return {
    default: readList(fields.default, 'default', readRequirement),
    transports: readMap(fields.transports ?? {}, 'transports', (scopes, path) =>
      readMap(scopes, path, (list, place) => readList(list, place, readRequirement)),
    ),
  }
}

function readMap<T>(
  value: unknown,
  path: string,
  item: (value: unknown, path: string) => T,
): Record<string, T> {
  const entries = Object.entries(readObject(value, path))
  // Without a prototype: a scope may be called `constructor`.
  const map = Object.create(null) as Record<string, T>
  for (const [name, each] of entries) map[name] = item(each, below(path, name))
  return map
}

function readRequirement(value: unknown, path: string): PolicyRequirement {
  const { type } = readObject(value, path)
  switch (readText(type, below(path, 'type'))) {
    case 'insecureAcceptAnything':
      readObject(value, path, ['type'])
      return { type: 'insecureAcceptAnything' }
    case 'reject':
      readObject(value, path, ['type'])
      return { type: 'reject' }
    case 'signedBy':
      readObject(value, path, GPG_FIELDS)
      return { type: 'signedBy' }
    case 'signedBaseLayer':
      readObject(value, path, ['type', 'baseLayerIdentity'])
      return { type: 'signedBaseLayer' }
    case 'sigstoreSigned': {
      const fields = readObject(value, path, ['type', 'signedIdentity', ...TRUST_FIELDS])
      const { signedIdentity } = fields
      return {
        type: 'sigstoreSigned',
        trust: readTrust(fields, path),
        ...(signedIdentity !== undefined && {
          signedIdentity: readSignedIdentity(signedIdentity, below(path, 'signedIdentity')),
        }),
      }
    }
    default:
      throw invalid(below(path, 'type'), 'there is no such requirement')
  }
}
