import { bytes, string, uint64be } from '../gvariant/basic.ts'
import { array, tuple } from '../gvariant/container.ts'
import { type Checksum, checksumBytes, invalidObject } from './checksum.ts'
import { type Metadata, metadataDictionary } from './metadata.ts'

/** A state of a tree, with what is said about it. */
export interface Commit {
  readonly metadata: Metadata
  /** The commit before this one. */
  readonly parent?: Checksum
  readonly subject: string
  readonly body: string
  /** Seconds since 1970, not negative. */
  readonly timestamp: number
  /** The `dirtree` object of the root. */
  readonly tree: Checksum
  /** The `dirmeta` object of the root. */
  readonly meta: Checksum
}

/**
 * `(a{sv}aya(say)sstayay)`: metadata, parent, related objects, subject, body, time in network order, root.
 * Nobody ever wrote related objects.
 */
const commit = tuple(
  metadataDictionary,
  bytes,
  array(tuple(string, bytes)),
  string,
  string,
  uint64be,
  checksumBytes,
  checksumBytes,
)

/** @throws BootableError `OSTREE_INVALID_TEXT` */
export function encodeCommit({ metadata, parent, subject, body, timestamp, tree, meta }: Commit): Uint8Array {
  const parentBytes = parent === undefined ? new Uint8Array(0) : checksumBytes.encode(parent)
  return commit.encode([metadata, parentBytes, [], subject, body, timestamp, tree, meta])
}

/** @throws FormatError */
export function decodeCommit(encoded: Uint8Array): Commit {
  const [metadata, parent, related, subject, body, timestamp, tree, meta] = commit.decode(encoded, 0)
  if (related.length > 0) throw invalidObject('commit', 'related objects are not supported')
  return {
    metadata,
    ...(parent.length > 0 && { parent: checksumBytes.decode(parent, 0) }),
    subject,
    body,
    timestamp,
    tree,
    meta,
  }
}
