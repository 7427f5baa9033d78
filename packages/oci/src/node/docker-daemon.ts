import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BootableError,
  collect,
  FormatError,
  formatSize,
  GiB,
  MiB,
  type OperationOptions,
  type RuntimeOptions,
} from '@bootable/bytes'
import { createFileDevice, type FileSource, nodeRuntime, openFileSource } from '@bootable/bytes/node'
import { dockerArchiveStore } from '../store/docker-archive.ts'
import { ociArchiveStore } from '../store/oci-archive.ts'
import type { ImageStore } from '../store/store.ts'
import { list, nullable, object, parseJson, text } from '../wire/check.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import { type DockerEndpoint, engineFailed, getFromEngine, parseDockerHost } from './docker-engine.ts'
import { writeChunks } from './write.ts'

/** Options of {@link openDockerDaemon}. */
export interface DockerDaemonOptions extends OperationOptions, RuntimeOptions {
  /** `unix:///path` or `tcp://127.0.0.1:port`. @defaultValue `DOCKER_HOST`, else `unix:///var/run/docker.sock` */
  readonly host?: string
  /** Where the image is kept while it is open. @defaultValue the folder for temporary files */
  readonly folder?: string
  /** Bytes of the image after which it is refused. @defaultValue 128 GiB */
  readonly maxSize?: number
  /** Milliseconds without a byte after which the daemon counts as gone. @defaultValue 300 000 */
  readonly idleTimeout?: number
}

const DEFAULT_MAX_SIZE = 128 * GiB
/** Podman writes the whole archive before it sends the first byte of it. */
const DEFAULT_IDLE_TIMEOUT = 300_000

const imageJson = object({ Id: text(/^[a-z0-9:]{1,200}$/, 'an id') }, { RepoTags: nullable(list(text())) })

/** What a daemon says of an image: Docker Engine API, `ImageInspect`. */
interface EngineImage {
  readonly Id: string
  readonly RepoTags?: readonly string[] | null
}

/**
 * One image of a Docker daemon, or of podman's service that speaks as one. The daemon exports it
 * (`/images/{id}/get`) into a temporary file, which is read as the oci-archive or docker-archive that it is
 * and goes when the store is closed.
 *
 * @param reference as `docker run` takes it: a name, an id, a digest
 * @throws BootableError `DAEMON_UNAVAILABLE`, `DAEMON_FAILED`, `REFERENCE_UNKNOWN`, `LIMIT_EXCEEDED`,
 *   `FILE_NO_SPACE`; FormatError
 */
export async function openDockerDaemon(
  reference: string,
  options: DockerDaemonOptions = {},
): Promise<ImageStore> {
  const { runtime = nodeRuntime, signal, idleTimeout = DEFAULT_IDLE_TIMEOUT } = options
  const endpoint = parseDockerHost(options.host)
  const request = { idleTimeout, ...(signal && { signal }) }
  const image = await inspect(endpoint, reference, request)
  const names = image.RepoTags ?? []

  const folder = await mkdtemp(join(options.folder ?? tmpdir(), 'bootable-docker-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    const path = join(folder, 'image.tar')
    await exportImage(endpoint, image.Id, path, { ...options, idleTimeout })
    const name = `docker-daemon:${reference}`
    const archive = await openArchive(await openFileSource(path), { name, runtime })
    const own = new Set(['', reference, image.Id, ...names])
    return {
      ...archive,
      // The archive of an id has no names: the daemon has told them.
      resolve: (asked, operation) => archive.resolve(own.has(asked) ? '' : asked, operation),
      async getManifest(target, operation = {}) {
        const isName = typeof target === 'string' && own.has(target)
        return archive.getManifest(isName ? '' : target, operation)
      },
      async *tags() {
        yield* names
      },
      async close() {
        await archive.close?.()
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}

async function inspect(
  endpoint: DockerEndpoint,
  reference: string,
  request: { readonly idleTimeout: number; readonly signal?: AbortSignal },
): Promise<EngineImage> {
  // The slashes of a name are slashes of the path; everything else that has a meaning there is not.
  const path = reference.split('/').map(encodeURIComponent).join('/')
  const response = await getFromEngine(endpoint, `/images/${path}/json`, request)
  try {
    const value = parseJson(await collect(response, 4 * MiB), 'docker-daemon')
    imageJson(value, { format: 'docker-daemon', path: '' })
    return value as EngineImage
  } catch (cause) {
    if (BootableError.is(cause)) throw cause
    throw signalled(request.signal) ?? engineFailed(endpoint.name, (cause as Error).message, {}, cause)
  } finally {
    response.destroy()
  }
}

async function exportImage(
  endpoint: DockerEndpoint,
  id: string,
  path: string,
  options: DockerDaemonOptions & { readonly idleTimeout: number },
): Promise<void> {
  const { maxSize = DEFAULT_MAX_SIZE, signal, onProgress, idleTimeout } = options
  const request = { idleTimeout, ...(signal && { signal }) }
  const response = await getFromEngine(endpoint, `/images/${encodeURIComponent(id)}/get`, request)
  onProgress?.({ type: 'start', id, label: 'export of the Docker daemon', unit: 'bytes' })
  let size = 0
  const file = await createFileDevice(path, { exclusive: true })
  try {
    await writeChunks(response, file, (chunk) => {
      size += chunk.length
      if (size > maxSize) {
        throw new BootableError<OciErrorCode>(
          'LIMIT_EXCEEDED',
          `the image of the Docker daemon passes ${formatSize(maxSize)}, the most allowed`,
          { details: { limit: maxSize } },
        )
      }
      onProgress?.({ type: 'advance', id, done: size })
    })
    onProgress?.({ type: 'end', id })
  } catch (cause) {
    if (BootableError.is(cause)) throw cause
    throw (
      signalled(signal) ??
      engineFailed(endpoint.name, `the image was cut after ${size} bytes`, { received: size }, cause)
    )
  } finally {
    response.destroy()
    await file.close()
  }
}

/** Newer versions of Docker write both kinds into one file; the OCI one keeps manifests as they were. */
async function openArchive(
  source: FileSource,
  options: { readonly name: string; readonly runtime: NonNullable<RuntimeOptions['runtime']> },
): Promise<ImageStore> {
  try {
    return await ociArchiveStore(source, options).catch((error: unknown) => {
      if (error instanceof FormatError) return dockerArchiveStore(source, options)
      throw error
    })
  } catch (error) {
    await source.close()
    throw error
  }
}

function signalled(signal: AbortSignal | undefined): unknown {
  return signal?.aborted ? signal.reason : undefined
}
