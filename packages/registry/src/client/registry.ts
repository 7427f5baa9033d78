import type { OperationOptions } from '@bootable/bytes'
import type { ImageStore } from '@bootable/oci'
import { hasBlob, openBlob } from './blob.ts'
import { getManifest, resolveManifest } from './manifest.ts'
import { formatRepositoryName, parseRepositoryName, type RepositoryName } from './name.ts'
import type { RegistryOptions } from './options.ts'
import { putBlob } from './push-blob.ts'
import { putManifest } from './push-manifest.ts'
import { createSession, type Session } from './session.ts'
import { listTags } from './tags.ts'

/** A repository of a registry, as a place that holds images. */
export interface RepositoryStore extends ImageStore {
  readonly repository: RepositoryName
  tags(options?: OperationOptions): AsyncIterable<string>
  /** Closes the connections, unless they belong to a {@link Registry} that others use as well. */
  close(): Promise<void>
}

/** A client: connections and tokens, shared by all repositories that it opens, on any number of hosts. */
export interface Registry {
  /**
   * The repository that `[docker://][host/]repository[:tag][@digest]` names, without a request. Its empty
   * reference is the tag or digest in that text.
   * @throws BootableError `REFERENCE_INVALID`
   */
  repository(name: string): RepositoryStore
  close(): Promise<void>
}

/** Opens a client for registries that speak the OCI distribution specification 1.1. */
export function openRegistry(options: RegistryOptions = {}): Registry {
  const session = createSession(options)
  return {
    repository: (name) => repositoryStore(session, parseRepositoryName(name), async () => {}),
    close: () => session.close(),
  }
}

/**
 * One repository with a client of its own, for `openImage(store, '')` and `copyImage`.
 * @param name `docker://quay.io/fedora/fedora-bootc:44`; see {@link Registry.repository}
 * @throws BootableError `REFERENCE_INVALID`
 */
export function registryStore(name: string, options: RegistryOptions = {}): RepositoryStore {
  const session = createSession(options)
  return repositoryStore(session, parseRepositoryName(name), () => session.close())
}

function repositoryStore(
  session: Session,
  repository: RepositoryName,
  close: () => Promise<void>,
): RepositoryStore {
  const name = formatRepositoryName(repository)
  return {
    name,
    repository,
    resolve: (reference, options) =>
      resolveManifest(session, repository, reference || repository.reference, options?.signal),
    getManifest: (target, options) =>
      getManifest(session, repository, target || repository.reference, options?.signal),
    openBlob: (descriptor, options) => openBlob(session, repository, descriptor, options),
    hasBlob: (descriptor, options) => hasBlob(session, repository, descriptor, options?.signal),
    putBlob: (source, options) => putBlob(session, repository, source, options),
    putManifest: (raw, options) => putManifest(session, repository, raw, options),
    tags: (options) => listTags(session, repository, options?.signal),
    close,
  }
}
