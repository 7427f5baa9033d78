import { BootableError } from '@bootable/bytes'
import { formatReference, normalizeDockerHub, parseReference, type Reference } from '@bootable/oci'
import { below, invalid, readObject, readText } from './json.ts'
import type { SignedIdentity } from './types.ts'

/** Reads a `signedIdentity`. */
export function readSignedIdentity(value: unknown, path: string): SignedIdentity {
  const { type } = readObject(value, path)
  switch (readText(type, below(path, 'type'))) {
    case 'matchExact':
      readObject(value, path, ['type'])
      return { type: 'matchExact' }
    case 'matchRepoDigestOrExact':
      readObject(value, path, ['type'])
      return { type: 'matchRepoDigestOrExact' }
    case 'matchRepository':
      readObject(value, path, ['type'])
      return { type: 'matchRepository' }
    case 'exactReference': {
      const fields = readObject(value, path, ['type', 'dockerReference'])
      const dockerReference = readText(fields.dockerReference, below(path, 'dockerReference'))
      const reference = parseName(dockerReference)
      if (!reference || isNameOnly(reference)) throw invalid(path, 'dockerReference needs a tag or a digest')
      return { type: 'exactReference', dockerReference }
    }
    case 'exactRepository': {
      const fields = readObject(value, path, ['type', 'dockerRepository'])
      const dockerRepository = readText(fields.dockerRepository, below(path, 'dockerRepository'))
      const reference = parseName(dockerRepository)
      if (!reference || !isNameOnly(reference)) throw invalid(path, 'dockerRepository is not a repository')
      return { type: 'exactRepository', dockerRepository }
    }
    case 'remapIdentity': {
      const fields = readObject(value, path, ['type', 'prefix', 'signedPrefix'])
      return {
        type: 'remapIdentity',
        prefix: readPrefix(fields.prefix, below(path, 'prefix')),
        signedPrefix: readPrefix(fields.signedPrefix, below(path, 'signedPrefix')),
      }
    }
    default:
      throw invalid(below(path, 'type'), 'there is no such identity')
  }
}

/** A host or a repository: something that a name can begin with. */
function readPrefix(value: unknown, path: string): string {
  const text = readText(value, path)
  const reference = parseName(text.includes('/') ? text : `${text}/name`)
  if (!reference || !isNameOnly(reference) || text.endsWith('/'))
    throw invalid(path, 'it is not the start of a name')
  return text
}

/**
 * Whether the name in a signature is the one that is asked for.
 *
 * @param signed `critical.identity.docker-reference` of the signature
 * @param wanted the name of the image; images in files have none
 * @returns why it is not, or `undefined` where it is
 */
export function compareIdentity(
  rule: SignedIdentity,
  signed: string,
  wanted: Reference | undefined,
): string | undefined {
  if (rule.type === 'matchAny') return undefined
  const name = parseName(signed)
  const shown = JSON.stringify(signed.slice(0, 300))
  if (!name) return `it is for ${shown}, which is no image`
  if (rule.type === 'exactReference') return differ(name, parseName(rule.dockerReference))
  if (rule.type === 'exactRepository') return differ(repositoryOf(name), parseName(rule.dockerRepository))
  if (!wanted) return `it is for ${shown}; an image in files has no name to compare that with`
  const image = normalizeDockerHub(wanted)
  switch (rule.type) {
    case 'matchRepository':
      return differ(repositoryOf(name), repositoryOf(image))
    case 'matchExact':
      return isNameOnly(name) ? `it is for ${shown}, which names no tag` : differ(name, image)
    case 'matchRepoDigestOrExact':
      return matchRepoDigestOrExact(name, image)
    case 'remapIdentity':
      return matchRepoDigestOrExact(name, remap(image, rule.prefix, rule.signedPrefix))
  }
}

/** A digest that was asked for is compared with that of the signature anyway, so the repository is enough. */
function matchRepoDigestOrExact(name: Reference, image: Reference): string | undefined {
  return image.tag === undefined ? differ(repositoryOf(name), repositoryOf(image)) : differ(name, image)
}

/** The name with another beginning; a prefix ends where a part of the name does. */
function remap(image: Reference, prefix: string, signedPrefix: string): Reference {
  const name = formatReference(repositoryOf(image))
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image
  const { host: _, repository: __, ...rest } = image
  return { ...parseReference(signedPrefix + name.slice(prefix.length)), ...rest }
}

function differ(signed: Reference, wanted: Reference | undefined): string | undefined {
  const [a, b] = [formatReference(signed), wanted === undefined ? 'nothing' : formatReference(wanted)]
  return a === b ? undefined : `it is for ${a}, not for ${b}`
}

function repositoryOf({ host, repository }: Reference): Reference {
  return host === undefined ? { repository } : { host, repository }
}

function isNameOnly({ tag, digest }: Reference): boolean {
  return tag === undefined && digest === undefined
}

/** A name with Docker's short forms filled in; `undefined` for what is none. */
function parseName(text: string): Reference | undefined {
  try {
    return normalizeDockerHub(parseReference(text))
  } catch (error) {
    if (BootableError.is(error, 'REFERENCE_INVALID')) return undefined
    throw error
  }
}
