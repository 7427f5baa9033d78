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

/** Transports whose images lie in files, in the words of containers-transports(5). */
export type FileTransport = 'oci' | 'oci-archive' | 'docker-archive'

const FILE_TRANSPORTS: readonly string[] = ['oci', 'oci-archive', 'docker-archive'] satisfies FileTransport[]

/** Transports of containers-transports(5) that need a daemon or a local storage. */
const OTHER_TRANSPORTS: readonly string[] = ['containers-storage', 'docker-daemon', 'dir', 'sif', 'ostree']

/**
 * Takes an image's address apart, in the notation of containers-transports(5): `docker://host/name:tag`,
 * `oci:folder[:tag]`, `oci-archive:file[:tag]`, `docker-archive:file[:name:tag]`. An address without a
 * transport is a registry's, as in `podman pull`.
 *
 * @throws BootableError `SOURCE_INVALID`, `SOURCE_UNSUPPORTED`
 */
export function parseImageSource(text: string): ImageSource {
  const match = /^([a-z][a-z-]*):(.*)$/s.exec(text)
  const [transport, rest] = [match?.[1] ?? '', match?.[2] ?? '']
  if (FILE_TRANSPORTS.includes(transport)) return parseFileSource(transport as FileTransport, rest, text)
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

function invalid(text: string): BootableError<CoreErrorCode> {
  return new BootableError('SOURCE_INVALID', `not the address of an image: ${JSON.stringify(text)}`, {
    details: { source: text },
    hint: 'write docker://host/name:tag, oci:folder, oci-archive:file or docker-archive:file',
  })
}

/** The reference under which the store at this address knows the image: a registry's store is opened with it. */
export function storeReference(source: ImageSource): string {
  return source.transport === 'docker' ? '' : source.reference
}

/** The text that {@link parseImageSource} reads. */
export function formatImageSource(source: ImageSource): string {
  if (source.transport === 'docker') return `docker://${source.reference}`
  const { transport, path, reference } = source
  const separator = reference === '' ? '' : /^sha(256|512):/.test(reference) ? '@' : ':'
  return `${transport}:${path}${separator}${reference}`
}
