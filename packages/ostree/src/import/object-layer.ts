import {
  type BootableError,
  FormatError,
  type GatherPiece,
  gather,
  MiB,
  type OperationOptions,
  type RuntimeOptions,
} from '@bootable/bytes'
import { memberContent, type TarMember } from '@bootable/oci'
import { createFile, createSymlink } from '@bootable/tree'
import type { Checksum, ObjectType } from '../object/checksum.ts'
import type { FileInode } from '../object/file.ts'
import { decodeCommitmeta } from '../object/metadata.ts'
import { decodeXattrs } from '../object/xattrs.ts'
import { checksumFiles } from '../repository/checksum-files.ts'
import type { Repository } from '../repository/repository.ts'
import { layerError, type NumberedLayer } from './layer-error.ts'
import { EMBEDDED_REPOSITORY } from './layer-filter.ts'

/** What ostree-ext takes of one metadata object, and of the extended attributes of one file. */
const MAX_METADATA = 10 * MiB
const MAX_XATTRS = MiB
/** Memory for the metadata, or the extended attributes, of one layer: as much as for the names of its tar. */
const MAX_KEPT = 512 * MiB
/** Small members are read together up to this. */
const BATCH = 8 * MiB

/** What a layer of an encapsulated image holds of the repository that it was made from. */
export interface ObjectLayer {
  /** Commits, trees and directories, in the order of the layer. */
  readonly metadata: readonly NamedMember<Exclude<ObjectType, 'file'>>[]
  /** Checksums of the file objects, each of them verified and in the repository now. */
  readonly files: readonly Checksum[]
}

interface NamedMember<Type extends ObjectType> {
  readonly checksum: Checksum
  readonly type: Type
  readonly member: TarMember
}

/** The objects of a layer before any of them is read. */
interface Listing {
  readonly metadata: NamedMember<Exclude<ObjectType, 'file'>>[]
  readonly files: NamedMember<'file'>[]
  /** Where the extended attributes of a file object are, by its checksum: a member or the name of a blob. */
  readonly xattrs: Map<Checksum, TarMember | string>
  /** Extended attributes that several objects share, by the SHA-256 of their bytes. */
  readonly blobs: Map<string, TarMember>
}

/**
 * Adds the objects of a layer to a repository: the tar form of ostree-ext, "ostree container encapsulate".
 *
 * Each object stands in the layer under its path in the repository; of the file objects the entry gives
 * owner, mode and content, and an entry before it the extended attributes: `.file-xattrs-link`, a file of
 * its own or a hard link to a `.file-xattrs`, in the first version of the form `.file.xattrs`, a hard link
 * into `xattrs/`. Nothing is believed: an object whose checksum is not its name is refused.
 *
 * @throws BootableError `OSTREE_CHECKSUM_MISMATCH`, `OSTREE_INVALID_ENCAPSULATION`
 */
export async function importObjects(
  repository: Repository,
  layer: NumberedLayer,
  options: OperationOptions & RuntimeOptions,
): Promise<ObjectLayer> {
  const listing = listObjects(layer)
  await importMetadata(repository, layer, listing, options.signal)
  await importFiles(repository, layer, listing, options)
  return { metadata: listing.metadata, files: listing.files.map(({ checksum }) => checksum) }
}

const OBJECT =
  /^objects\/([0-9a-f]{2})\/([0-9a-f]{62})\.(file|dirtree|dirmeta|commit|commitmeta|file-xattrs|file-xattrs-link|file\.xattrs)$/
const BLOB = /^xattrs\/([0-9a-f]{64})$/

function listObjects(layer: NumberedLayer): Listing {
  const listing: Listing = { metadata: [], files: [], xattrs: new Map(), blobs: new Map() }
  for (const member of layer.members) {
    if (member.type === 'directory' || !member.path.startsWith(EMBEDDED_REPOSITORY)) continue
    const path = member.path.slice(EMBEDDED_REPOSITORY.length)
    const blob = BLOB.exec(path)?.[1]
    if (blob !== undefined) listing.blobs.set(blob, member)
    if (!path.startsWith('objects/')) continue // the configuration, refs
    const [, start = '', rest = '', kind] = OBJECT.exec(path) ?? []
    const checksum = start + rest
    switch (kind) {
      case undefined:
        throw invalid(layer, member, 'this is no object of a repository')
      case 'file':
        listing.files.push({ checksum, type: kind, member })
        break
      case 'file-xattrs':
        listing.blobs.set(checksum, member)
        break
      case 'file-xattrs-link':
      case 'file.xattrs':
        listing.xattrs.set(checksum, member.type === 'hardlink' ? blobName(layer, member) : member)
        break
      default:
        listing.metadata.push({ checksum, type: kind as 'commit', member })
    }
  }
  return listing
}

/** The blob of extended attributes that a hard link names, in either version of the form. */
function blobName(layer: NumberedLayer, member: TarMember): string {
  const [, start = '', rest] =
    /(?:^|\/)(?:([0-9a-f]{2})\/)?([0-9a-f]{62,64})(?:\.file-xattrs)?$/.exec(member.linkName) ?? []
  const name = rest?.length === 64 ? rest : start + rest
  if (name.length === 64) return name
  throw invalid(layer, member, `a link to ${JSON.stringify(member.linkName)}, which holds no attributes`)
}

async function importMetadata(
  repository: Repository,
  layer: NumberedLayer,
  { metadata }: Listing,
  signal: AbortSignal | undefined,
): Promise<void> {
  const contents = await readMembers(
    layer,
    metadata.map(({ member }) => member),
    { limit: MAX_METADATA, signal },
  )
  for (const { checksum, type, member } of metadata) {
    const bytes = contents.get(member) as Uint8Array
    if (type === 'commitmeta') {
      within(layer, member, () => decodeCommitmeta(bytes))
      repository.setDetachedMetadata(checksum, bytes)
    } else verify(layer, member, checksum, repository.addMetadata(type, bytes))
  }
}

async function importFiles(
  repository: Repository,
  layer: NumberedLayer,
  { files, xattrs, blobs }: Listing,
  options: OperationOptions & RuntimeOptions,
): Promise<void> {
  const sources = new Map<Checksum, TarMember>()
  for (const { checksum, member } of files) {
    const found = xattrs.get(checksum)
    const source = typeof found === 'string' ? blobs.get(found) : found
    if (source) sources.set(checksum, source)
    else if (found) throw invalid(layer, member, `its extended attributes ${found} are not in the layer`)
  }
  const contents = await readMembers(layer, sources.values(), {
    limit: MAX_XATTRS,
    signal: options.signal,
  })
  const decoded = new Map<TarMember, Map<string, Uint8Array>>()
  for (const [member, bytes] of contents)
    decoded.set(
      member,
      within(layer, member, () => decodeXattrs(bytes)),
    )

  const inodes = files.map(({ checksum, member }) => {
    const source = sources.get(checksum)
    return createObject(layer, member, (source && decoded.get(source)) ?? new Map())
  })
  const checksums = await checksumFiles(inodes, options)
  for (const [index, { checksum, member }] of files.entries()) {
    const inode = inodes[index] as FileInode
    verify(layer, member, checksum, checksums.get(inode) as Checksum)
    repository.addFile(inode, checksum)
  }
}

function createObject(layer: NumberedLayer, member: TarMember, xattrs: Map<string, Uint8Array>): FileInode {
  const { uid, gid, mode } = member
  if (member.type === 'symlink') return createSymlink(member.linkName, { uid, gid, xattrs })
  if (member.type === 'file') {
    return createFile(memberContent(layer.content, member), { uid, gid, mode, xattrs })
  }
  throw invalid(layer, member, `a ${member.type} cannot be a file object`)
}

/** The contents of small members, each one read once. */
async function readMembers(
  layer: NumberedLayer,
  members: Iterable<TarMember>,
  { limit, signal }: { readonly limit: number; readonly signal: AbortSignal | undefined },
): Promise<Map<TarMember, Uint8Array>> {
  const contents = new Map<TarMember, Uint8Array>()
  let batch: GatherPiece[] = []
  let length = 0
  let kept = 0
  for (const member of members) {
    if (contents.has(member)) continue
    if (member.type !== 'file') throw invalid(layer, member, `a ${member.type} where a file should be`)
    if (member.size > limit) throw invalid(layer, member, `${member.size} bytes; ${limit} are the most`)
    kept += member.size
    if (kept > MAX_KEPT)
      throw invalid(layer, member, `objects before it and this one: more than ${MAX_KEPT} bytes`)
    const target = new Uint8Array(member.size)
    contents.set(member, target)
    batch.push({ source: memberContent(layer.content, member), offset: 0, target })
    length += member.size
    if (length < BATCH) continue
    signal?.throwIfAborted()
    await gather(batch)
    batch = []
    length = 0
  }
  await gather(batch)
  return contents
}

function verify(layer: NumberedLayer, member: TarMember, expected: Checksum, actual: Checksum): void {
  if (actual === expected) return
  throw layerError(
    'OSTREE_CHECKSUM_MISMATCH',
    layer,
    member.path,
    `the object is named ${expected} but hashes to ${actual}`,
    {
      details: { expected, actual },
      hint: 'the image was damaged before it was pushed, or its exporter is at fault: export it again',
    },
  )
}

/** Says where bytes stand that are malformed. */
function within<T>(layer: NumberedLayer, member: TarMember, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (error instanceof FormatError) throw invalid(layer, member, error.message)
    throw error
  }
}

function invalid(layer: NumberedLayer, member: TarMember, message: string): BootableError {
  return layerError('OSTREE_INVALID_ENCAPSULATION', layer, member.path, message)
}
