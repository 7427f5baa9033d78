import { BootableError } from '@bootable/bytes'
import {
  formatReference,
  normalizeDockerHub,
  type OciErrorCode,
  parseReference,
  type Reference,
} from '@bootable/oci'
import { DOCKER_HUB_KEY } from '../auth/credentials.ts'

/** A repository of a registry, every part of its name filled in. */
export interface RepositoryName {
  /** As people write it: `docker.io`, `quay.io`, `localhost:5000`. */
  readonly host: string
  /** With Docker Hub's `library/` where it is left out. */
  readonly repository: string
  /** Where the registry answers: `registry-1.docker.io` for Docker Hub. */
  readonly server: string
  /** Under which Docker keeps the credentials. */
  readonly credentialKey: string
  /** What the text named besides: a digest or a tag; `latest` when it named neither. */
  readonly reference: string
}

/**
 * Reads `[docker://][host/]repository[:tag][@digest]` as Docker does: without a host it is Docker Hub.
 * @throws BootableError `REFERENCE_INVALID`
 */
export function parseRepositoryName(text: string): RepositoryName {
  const parsed = normalizeDockerHub(parseReference(text.replace(/^docker:\/\//, '')))
  const { host = 'docker.io', repository, tag, digest } = parsed
  if (!isUsableHost(host)) {
    throw new BootableError<OciErrorCode>(
      'REFERENCE_INVALID',
      `${host} is not a host with an optional port`,
      {
        details: { reference: text },
      },
    )
  }
  const isHub = host === 'docker.io'
  return {
    host,
    repository,
    server: isHub ? 'registry-1.docker.io' : host,
    credentialKey: isHub ? DOCKER_HUB_KEY : host,
    reference: digest ?? tag ?? 'latest',
  }
}

/** A host alone, for what is asked of a registry as a whole. @throws BootableError `REFERENCE_INVALID` */
export function parseHost(text: string): RepositoryName {
  // Any repository makes a name of it, and shows whether it is nothing but a host.
  const name = parseRepositoryName(`${text}/x`)
  if (name.host !== text || !/^(?:library\/)?x$/.test(name.repository)) {
    throw new BootableError<OciErrorCode>(
      'REFERENCE_INVALID',
      `${JSON.stringify(text.slice(0, 200))} is not a host`,
      { details: { reference: text.slice(0, 200) } },
    )
  }
  return { ...name, repository: '' }
}

/** The name as skopeo writes it: `docker://docker.io/library/debian`. */
export function formatRepositoryName({ host, repository }: Pick<Reference, 'host' | 'repository'>): string {
  return `docker://${formatReference({ ...(host !== undefined && { host }), repository })}`
}

/** A port may be out of range, an address in brackets malformed. */
function isUsableHost(host: string): boolean {
  return URL.canParse(`https://${host}/`)
}
