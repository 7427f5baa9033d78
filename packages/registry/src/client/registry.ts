import type { OperationOptions } from '@bootable/bytes'
import type { Descriptor, ImageStore, ReferrersOptions } from '@bootable/oci'
import { hasBlob, openBlob } from './blob.ts'
import { deleteBlob, deleteTarget } from './delete.ts'
import { getManifest, resolveManifest } from './manifest.ts'
import { formatRepositoryName, parseHost, parseRepositoryName, type RepositoryName } from './name.ts'
import type { RegistryOptions } from './options.ts'
import { putBlob } from './push-blob.ts'
import { putManifest } from './push-manifest.ts'
import { listReferrers } from './referrers.ts'
import { createSession, type Session } from './session.ts'
import { listRepositories, listTags } from './tags.ts'

/** A repository of a registry, as a place that holds images. */
export interface RepositoryStore extends ImageStore {
  readonly repository: RepositoryName
  tags(options?: OperationOptions): AsyncIterable<string>
  referrers(subject: Descriptor, options?: ReferrersOptions): AsyncIterable<Descriptor>
  /**
   * Deletes a tag, or a manifest with all of its tags. Registries that cannot delete a tag by itself are
   * brought to it by moving the tag to a manifest made for that.
   * @throws BootableError `REFERENCE_UNKNOWN`, `MANIFEST_UNKNOWN`; `UNSUPPORTED` where nothing is deleted
   */
  delete(target: Descriptor | string, options?: OperationOptions): Promise<void>
  /**
   * Deletes a blob; whether manifests need it is not looked into.
   * @throws BootableError `BLOB_UNKNOWN`, `UNSUPPORTED`
   */
  deleteBlob(descriptor: Descriptor, options?: OperationOptions): Promise<void>
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
  /**
   * The names of all repositories of a host (`quay.io`, `localhost:5000`), page after page: distribution's
   * `_catalog`, which most public registries refuse.
   * @throws BootableError `REFERENCE_INVALID`, and those of every request
   */
  catalog(host: string, options?: OperationOptions): AsyncIterable<string>
  close(): Promise<void>
}

/** Opens a client for registries that speak the OCI distribution specification 1.1. */
export function openRegistry(options: RegistryOptions = {}): Registry {
  const session = createSession(options)
  return {
    repository: (name) => repositoryStore(session, parseRepositoryName(name), async () => {}),
    catalog: (host, options) => listRepositories(session, parseHost(host), options?.signal),
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
    referrers: (subject, options) => listReferrers(session, repository, subject, options),
    delete: (target, options) => deleteTarget(session, repository, target, options?.signal),
    deleteBlob: (descriptor, options) => deleteBlob(session, repository, descriptor, options?.signal),
    tags: (options) => listTags(session, repository, options?.signal),
    close,
  }
}
