import { BootableError } from '@bootable/bytes'
import type { CoreErrorCode } from './errors.ts'

/** Where an image comes from, taken apart from a text such as `oci-archive:image.tar:latest`. */
export type ImageSource =
  /** A registry. `reference` is `host/repository:tag` or `…@digest`, with Docker's short forms allowed. */
  | { readonly transport: 'docker'; readonly reference: string }
  /** Files: an OCI layout folder, an archive of one, or what `docker save` writes. */
  | {
      readonly transport: FileTransport
      readonly path: string
      /** Which image of several: a tag, a name or a digest; empty where there is only one. */
      readonly reference: string
    }
  /** What podman, buildah and CRI-O keep on this host. */
  | {
      readonly transport: 'containers-storage'
      /** `[driver@]graphroot[+runroot]` where it is not the storage of storage.conf(5). */
      readonly storage?: string
      /** A name, an id or the start of one, a digest; empty where there is only one image. */
      readonly reference: string
    }
  /** The Docker daemon that `DOCKER_HOST` names, or the one of this host. */
  | { readonly transport: 'docker-daemon'; readonly reference: string }

/** Transports whose images lie in files, in the words of containers-transports(5). */
export type FileTransport = 'oci' | 'oci-archive' | 'docker-archive'

const FILE_TRANSPORTS: readonly string[] = ['oci', 'oci-archive', 'docker-archive'] satisfies FileTransport[]

/** Transports of containers-transports(5) that are not read here. */
const OTHER_TRANSPORTS: readonly string[] = ['dir', 'sif', 'ostree']

/**
 * Takes an image's address apart, in the notation of containers-transports(5): `docker://host/name:tag`,
 * `oci:folder[:tag]`, `oci-archive:file[:tag]`, `docker-archive:file[:name:tag]`,
 * `containers-storage:[[storage]]name[:tag]`, `docker-daemon:name:tag`. An address without a transport is a
 * registry's, as in `podman pull`.
 *
 * @throws BootableError `SOURCE_INVALID`, `SOURCE_UNSUPPORTED`
 */
export function parseImageSource(text: string): ImageSource {
  const match = /^([a-z][a-z-]*):(.*)$/s.exec(text)
  const [transport, rest] = [match?.[1] ?? '', match?.[2] ?? '']
  if (FILE_TRANSPORTS.includes(transport)) return parseFileSource(transport as FileTransport, rest, text)
  if (transport === 'containers-storage') return parseStorageSource(rest, text)
  if (transport === 'docker-daemon') {
    if (rest === '') throw invalid(text)
    return { transport, reference: rest }
  }
  if (OTHER_TRANSPORTS.includes(transport)) {
    throw new BootableError<CoreErrorCode>('SOURCE_UNSUPPORTED', `images cannot be read from ${transport}:`, {
      details: { source: text, transport },
      hint: `save it first, for instance with "skopeo copy ${transport}:… oci-archive:image.tar"`,
    })
  }
  const reference = transport === 'docker' ? rest.replace(/^\/\//, '') : text
  if (reference === '' || (transport === 'docker' && !rest.startsWith('//'))) throw invalid(text)
  return { transport: 'docker', reference }
}

/** The file name ends at the first colon, as in every tool that reads this notation; `@` starts a digest. */
function parseFileSource(transport: FileTransport, rest: string, text: string): ImageSource {
  // A Windows drive letter is part of the path, not the end of it.
  const drive = /^[A-Za-z]:[\\/]/.exec(rest)?.[0] ?? ''
  const tail = rest.slice(drive.length)
  const digest = /@(sha(?:256|512):[0-9a-f]+)$/.exec(tail)
  const body = digest ? tail.slice(0, digest.index) : tail
  const colon = body.indexOf(':')
  const path = drive + (colon < 0 ? body : body.slice(0, colon))
  if (path === '') throw invalid(text)
  const name = colon < 0 ? '' : body.slice(colon + 1)
  return { transport, path, reference: digest?.[1] ?? name }
}

/** `[storage]name`: what stands in brackets says which storage, as in every tool that reads this notation. */
function parseStorageSource(rest: string, text: string): ImageSource {
  const transport = 'containers-storage'
  if (!rest.startsWith('[')) return { transport, reference: rest }
  const [, storage, reference] = /^\[([^\]]+)\](.*)$/s.exec(rest) ?? []
  if (storage === undefined || reference === undefined) throw invalid(text)
  return { transport, storage, reference }
}

function invalid(text: string): BootableError<CoreErrorCode> {
  return new BootableError('SOURCE_INVALID', `not the address of an image: ${JSON.stringify(text)}`, {
    details: { source: text },
    hint: 'write docker://host/name:tag, oci:folder, oci-archive:file, docker-archive:file, containers-storage:name or docker-daemon:name:tag',
  })
}

/** The reference under which the store at this address knows the image: those of registries and daemons are opened with it. */
export function storeReference(source: ImageSource): string {
  return source.transport === 'docker' || source.transport === 'docker-daemon' ? '' : source.reference
}

/** The text that {@link parseImageSource} reads. */
export function formatImageSource(source: ImageSource): string {
  if (source.transport === 'docker') return `docker://${source.reference}`
  if (source.transport === 'docker-daemon') return `docker-daemon:${source.reference}`
  if (source.transport === 'containers-storage') {
    const storage = source.storage === undefined ? '' : `[${source.storage}]`
    return `containers-storage:${storage}${source.reference}`
  }
  const { transport, path, reference } = source
  const separator = reference === '' ? '' : /^sha(256|512):/.test(reference) ? '@' : ':'
  return `${transport}:${path}${separator}${reference}`
}
