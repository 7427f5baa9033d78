import { type GatherPiece, gather } from '@bootable/bytes'
import * as da from './da-format.ts'
import { xfsFormatError } from './errors.ts'
import type { Extent } from './extents.ts'
import { type Fork, inlineExtents, resolveExtents } from './fork-reader.ts'
import { XFS_DINODE_FMT_LOCAL } from './format.ts'
import { type Claims, checkBlock, forkPieces, type Volume } from './volume.ts'
import { decodeAttribute } from './xattrs.ts'

/** Where the attributes of an inode go. */
export type XattrMap = Map<string, Uint8Array>

/** Bytes read at a time. */
const BATCH = 4 * 1_048_576

/** The attributes that stand in an inode. @returns whether that is where they are @throws FormatError */
export function decodeShortAttributes(fork: Fork, into: XattrMap): boolean {
  if (fork.format !== XFS_DINODE_FMT_LOCAL) return false
  const { bytes } = fork
  const check = (isGood: boolean, message: string): void => {
    if (!isGood) throw xfsFormatError('FORMAT_INVALID', `attributes of inode ${fork.number}`, message)
  }
  check(bytes.length >= da.AttrShortHeader.size, 'there is no room for them')
  const { totsize, count } = da.AttrShortHeader.read(bytes)
  check(totsize <= bytes.length, `totsize is ${totsize}`)
  let at = da.AttrShortHeader.size
  for (let index = 0; index < count; index++) {
    check(at + da.AttrShortEntry.size <= totsize, 'an entry is cut off')
    const { namelen, valuelen, flags } = da.AttrShortEntry.read(bytes, at)
    const name = at + da.AttrShortEntry.size
    const value = name + namelen
    check(value + valuelen <= totsize, `namelen is ${namelen}, valuelen ${valuelen}`)
    put(fork, flags, bytes.subarray(name, value), bytes.slice(value, value + valuelen), into)
    at = value + valuelen
  }
  return true
}

/** Parents are names of the filesystem's own, incomplete attributes nobody's yet. */
function put(fork: Fork, flags: number, name: Uint8Array, value: Uint8Array, into: XattrMap): void {
  if (flags & (da.XFS_ATTR_PARENT | da.XFS_ATTR_INCOMPLETE)) return
  const attribute = decodeAttribute(flags, name, value)
  if (!attribute) {
    const message = 'a name or an access list makes no sense'
    throw xfsFormatError('FORMAT_INVALID', `attributes of inode ${fork.number}`, message)
  }
  into.set(...attribute)
}

/** A fork of attributes that is being read. */
interface OpenFork {
  readonly fork: Fork
  readonly extents: readonly Extent[]
  readonly into: XattrMap
}

/** A block of leaves or nodes that is to be read. */
interface WantedBlock {
  readonly open: OpenFork
  readonly logical: number
}

/** A value that stands apart from its name. */
interface RemoteValue {
  readonly open: OpenFork
  readonly flags: number
  readonly name: Uint8Array
  readonly logical: number
  readonly length: number
}

/**
 * Reads attributes that stand in blocks, of many inodes at a time: level by level, one gathered read each.
 * @param claims blocks that belong to something else already
 * @throws FormatError
 */
export async function readAttributes(
  volume: Volume,
  forks: readonly { readonly fork: Fork; readonly into: XattrMap }[],
  claims: Claims,
): Promise<void> {
  const opened = await Promise.all(
    forks.map(async ({ fork, into }) => {
      const extents = inlineExtents(volume, fork) ?? (await resolveExtents(volume, fork, claims))
      return { fork, into, extents }
    }),
  )
  const values: RemoteValue[] = []
  // An inode may have room for attributes and none there.
  let level: WantedBlock[] = opened
    .filter(({ extents }) => extents.length > 0)
    .map((open) => ({ open, logical: 0 }))
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > da.XFS_DA_NODE_MAXDEPTH) {
      throw xfsFormatError('FORMAT_INVALID', 'attributes', 'their tree is too deep')
    }
    const below: WantedBlock[] = []
    for (const part of portions(level, volume.superblock.blockSize)) {
      for (const { wanted, bytes } of await readBlocks(volume, part, claims)) {
        below.push(...decodeBlock(wanted, bytes, values))
      }
    }
    level = below
  }
  await readValues(volume, values, claims)
}

function* portions<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  const count = Math.max(1, Math.floor(BATCH / size))
  for (let first = 0; first < list.length; first += count) yield list.slice(first, first + count)
}

async function readBlocks(
  volume: Volume,
  list: readonly WantedBlock[],
  claims: Claims,
): Promise<{ wanted: WantedBlock; bytes: Uint8Array }[]> {
  const { blockSize } = volume.superblock
  const blocks = list.map((wanted) => {
    const block = claim(wanted.open, wanted.logical, claims)
    return { wanted, block, bytes: new Uint8Array(blockSize) }
  })
  await gather(
    blocks.map(({ block, bytes }) => ({ source: volume.source, offset: block * blockSize, target: bytes })),
  )
  for (const { wanted, block, bytes } of blocks) {
    const identity = { structure: structure(wanted.open), owner: wanted.open.fork.number, block }
    // Headers of leaves and nodes have these fields in the same places.
    checkBlock(volume, bytes, { ...identity, fields: da.DaHeader.fields })
  }
  return blocks
}

/** Where a block of a fork lies. @throws FormatError where it lies nowhere, or was read before */
function claim(open: OpenFork, logical: number, claims: Claims): number {
  const extent = open.extents.find((one) => logical >= one.logical && logical < one.logical + one.length)
  if (!extent) throw xfsFormatError('FORMAT_INVALID', structure(open), `block ${logical} is a hole`)
  const block = extent.physical + logical - extent.logical
  claims.add(block, structure(open))
  return block
}

function structure({ fork }: OpenFork): string {
  return `attributes of inode ${fork.number}`
}

/** @returns the blocks below a node; of a leaf none */
function decodeBlock({ open }: WantedBlock, bytes: Uint8Array, values: RemoteValue[]): WantedBlock[] {
  const { magic, count } = da.DaHeader.at(bytes)
  const check = (isGood: boolean, message: string): void => {
    if (!isGood) throw xfsFormatError('FORMAT_INVALID', structure(open), message)
  }
  if (magic === da.XFS_DA3_NODE_MAGIC) {
    check(da.DaHeader.size + count * da.DaNodeEntry.size <= bytes.length, `count is ${count}`)
    return Array.from({ length: count }, (_, index) => {
      const { before } = da.DaNodeEntry.at(bytes, da.DaHeader.size + index * da.DaNodeEntry.size)
      return { open, logical: before }
    })
  }
  check(magic === da.XFS_ATTR3_LEAF_MAGIC, `its magic is ${magic.toString(16)}`)
  check(da.AttrLeafHeader.size + count * da.AttrLeafEntry.size <= bytes.length, `count is ${count}`)
  for (let index = 0; index < count; index++) {
    const entry = da.AttrLeafEntry.read(bytes, da.AttrLeafHeader.size + index * da.AttrLeafEntry.size)
    const { nameidx, flags } = entry
    const isLocal = (flags & da.XFS_ATTR_LOCAL) !== 0
    const header = isLocal ? da.AttrLocalName.size : da.AttrRemoteName.size
    check(nameidx + header <= bytes.length, `nameidx is ${nameidx}`)
    const start = nameidx + header
    if (isLocal) {
      const { namelen, valuelen } = da.AttrLocalName.read(bytes, nameidx)
      const value = start + namelen
      check(value + valuelen <= bytes.length, `namelen is ${namelen}, valuelen ${valuelen}`)
      put(open.fork, flags, bytes.subarray(start, value), bytes.slice(value, value + valuelen), open.into)
      continue
    }
    const { namelen, valuelen, valueblk } = da.AttrRemoteName.read(bytes, nameidx)
    check(start + namelen <= bytes.length, `namelen is ${namelen}`)
    check(valuelen <= da.XFS_XATTR_SIZE_MAX, `valuelen is ${valuelen}`)
    const name = bytes.slice(start, start + namelen)
    if (flags & da.XFS_ATTR_INCOMPLETE) continue
    values.push({ open, flags, name, logical: valueblk, length: valuelen })
  }
  return []
}

async function readValues(volume: Volume, values: readonly RemoteValue[], claims: Claims): Promise<void> {
  const { blockSize } = volume.superblock
  const room = blockSize - da.AttrRemoteHeader.size
  for (const part of portions(values, da.XFS_XATTR_SIZE_MAX)) {
    const reads: GatherPiece[] = []
    const blocks = part.map((value) => {
      const count = Math.ceil(value.length / room)
      const places = Array.from({ length: count }, (_, index) =>
        claim(value.open, value.logical + index, claims),
      )
      const bytes = new Uint8Array(count * blockSize)
      reads.push(...forkPieces(volume, value.open.extents, value.logical, bytes))
      return { value, places, bytes }
    })
    await gather(reads)
    for (const { value, places, bytes } of blocks) {
      const whole = new Uint8Array(value.length)
      for (const [index, block] of places.entries()) {
        const content = bytes.subarray(index * blockSize, (index + 1) * blockSize)
        copyValue(volume, value, content, block, whole, index * room)
      }
      put(value.open.fork, value.flags, value.name, whole, value.open.into)
    }
  }
}

function copyValue(
  volume: Volume,
  { open }: RemoteValue,
  content: Uint8Array,
  block: number,
  into: Uint8Array,
  offset: number,
): void {
  const header = da.AttrRemoteHeader.at(content)
  const room = content.length - da.AttrRemoteHeader.size
  const expected = Math.min(room, into.length - offset)
  if (header.magic !== da.XFS_ATTR3_RMT_MAGIC || header.offset !== offset || header.bytes !== expected) {
    throw xfsFormatError('FORMAT_INVALID', structure(open), `block ${block} is not part of the value`)
  }
  const { fields } = da.AttrRemoteHeader
  checkBlock(volume, content, { structure: structure(open), fields, owner: open.fork.number, block })
  into.set(content.subarray(da.AttrRemoteHeader.size, da.AttrRemoteHeader.size + expected), offset)
}
