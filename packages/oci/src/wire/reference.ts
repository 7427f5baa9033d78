import { BootableError } from '@bootable/bytes'
import { type Digest, isDigest } from './digest.ts'
import type { OciErrorCode } from './errors.ts'

/** `[host/]repository[:tag][@digest]`, taken apart. */
export interface Reference {
  /** Name or address with an optional port; IPv6 addresses stand in brackets. */
  readonly host?: string
  readonly repository: string
  readonly tag?: string
  readonly digest?: Digest
}

// The grammar of distribution's `reference` package, which every container tool shares.
const PATH_COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const REPOSITORY = new RegExp(`^${PATH_COMPONENT}(?:/${PATH_COMPONENT})*$`)
const TAG = /^\w[\w.-]{0,127}$/
const HOST_LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const HOST = new RegExp(`^(?:${HOST_LABEL}(?:\\.${HOST_LABEL})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?$`)
/** Of host and repository together: distribution's `NameTotalLengthMax`. */
const MAX_NAME = 255
const MAX_REFERENCE = 1024

/** Whether a text is a tag: distribution-spec, "Pulling manifests". */
export function isTag(text: string): boolean {
  return TAG.test(text)
}

/**
 * Takes a reference apart. The first component is a host if it looks like one (a dot, a port, an upper-case
 * letter, or `localhost`), as Docker decides it; nothing is added. See {@link normalizeDockerHub}.
 * @throws BootableError `REFERENCE_INVALID`
 */
export function parseReference(text: string): Reference {
  if (text.length > MAX_REFERENCE) throw invalid(text, `longer than ${MAX_REFERENCE} characters`)
  const [beforeDigest = '', digest, ...more] = text.split('@')
  if (more.length > 0 || (digest !== undefined && !isDigest(digest))) {
    throw invalid(text, 'what follows @ is not a digest')
  }
  const slash = beforeDigest.lastIndexOf('/')
  const colon = beforeDigest.indexOf(':', slash + 1)
  const name = colon < 0 ? beforeDigest : beforeDigest.slice(0, colon)
  const tag = colon < 0 ? undefined : beforeDigest.slice(colon + 1)
  if (tag !== undefined && !isTag(tag)) throw invalid(text, `${JSON.stringify(tag)} is not a tag`)

  const { host, repository } = splitHost(name)
  if (host !== undefined && !HOST.test(host)) throw invalid(text, `${JSON.stringify(host)} is not a host`)
  if (!REPOSITORY.test(repository)) {
    throw invalid(
      text,
      `${JSON.stringify(repository)} is not a repository name, which is written in lower case`,
    )
  }
  if (name.length > MAX_NAME) throw invalid(text, `the name is longer than ${MAX_NAME} characters`)
  return {
    ...(host !== undefined && { host }),
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest: digest as Digest }),
  }
}

function splitHost(name: string): { host?: string; repository: string } {
  const slash = name.indexOf('/')
  const first = name.slice(0, slash)
  const isHost = slash > 0 && (/[.:A-Z]/.test(first) || first === 'localhost')
  return isHost ? { host: first, repository: name.slice(slash + 1) } : { repository: name }
}

/**
 * Fills in what Docker's users leave out: host `docker.io` and namespace `library/`. The older name
 * `index.docker.io` becomes `docker.io`. A reference to another host comes back as it is.
 */
export function normalizeDockerHub(reference: Reference): Reference {
  const { host = 'docker.io', repository } = reference
  if (host !== 'docker.io' && host !== 'index.docker.io') return reference
  const qualified = repository.includes('/') ? repository : `library/${repository}`
  return { ...reference, host: 'docker.io', repository: qualified }
}

/** A reference as text: the reverse of {@link parseReference}. */
export function formatReference({ host, repository, tag, digest }: Reference): string {
  const name = host === undefined ? repository : `${host}/${repository}`
  return `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

function invalid(text: string, reason: string): BootableError<OciErrorCode> {
  const shown = JSON.stringify(text.slice(0, 200))
  return new BootableError('REFERENCE_INVALID', `not an image reference: ${shown}: ${reason}`, {
    details: { reference: text.slice(0, MAX_REFERENCE) },
    hint: 'write host/repository:tag or host/repository@sha256:…',
  })
}
