import { seal } from './checksum.ts'
import * as da from './da-format.ts'
import { type BlockOwner, type DaTree, leafPlace, planDaTree, siblings, writeDaNodes } from './da-tree.ts'
import { BLOCK_SIZE, diskAddress } from './layout.ts'
import { type Attribute, localSize, remoteSize } from './xattrs.ts'

/*
 * Attributes outside of their inode (`xfs_attr_leaf.c`): leaves in the order of hashes, a node over them
 * where there are several, and the values that are too large for a leaf.
 */

/** How attributes spread over the blocks of their fork. */
export interface AttributeTree {
  readonly leaves: readonly (readonly PlacedAttribute[])[]
  readonly tree: DaTree
  /** Blocks of leaves, nodes and values. */
  readonly blocks: number
}

interface PlacedAttribute {
  readonly attribute: Attribute
  /** Bytes that it takes in its leaf besides its entry. */
  readonly size: number
  /** First block of its value, counted from the first value's; `undefined` where it stands in the leaf. */
  readonly remote: number | undefined
}

const LEAF_ROOM = BLOCK_SIZE - da.AttrLeafHeader.size
/** `xfs_attr_leaf_entsize_local_max`: what is not below this is kept apart. */
const LOCAL_MAX = BLOCK_SIZE / 2 + BLOCK_SIZE / 4
/** Bytes of a value in a block. */
const VALUE_ROOM = BLOCK_SIZE - da.AttrRemoteHeader.size

/** @param attributes in the order of their hashes */
export function planAttributeTree(attributes: readonly Attribute[]): AttributeTree {
  const leaves: PlacedAttribute[][] = []
  let room = 0
  let values = 0
  for (const attribute of attributes) {
    const isLocal = localSize(attribute) < LOCAL_MAX
    const size = isLocal ? localSize(attribute) : remoteSize(attribute)
    const needed = da.AttrLeafEntry.size + size
    if (needed > room) {
      leaves.push([])
      room = LEAF_ROOM
    }
    leaves[leaves.length - 1]?.push({ attribute, size, remote: isLocal ? undefined : values })
    room -= needed
    if (!isLocal) values += Math.ceil(attribute.value.length / VALUE_ROOM)
  }
  const tree = planDaTree(leaves.length)
  return { leaves, tree, blocks: tree.blocks + values }
}

/** All blocks of the fork, sealed. */
export function encodeAttributeTree({ leaves, tree, blocks }: AttributeTree, owner: BlockOwner): Uint8Array {
  const bytes = new Uint8Array(blocks * BLOCK_SIZE)
  for (const [index, leaf] of leaves.entries()) {
    writeLeaf(bytes, tree, index, leaf, owner)
    for (const { attribute, remote } of leaf) {
      if (remote !== undefined) writeValue(bytes, tree.blocks + remote, attribute.value, owner)
    }
  }
  const greatest = leaves.map((leaf) => leaf[leaf.length - 1]?.attribute.hash ?? 0)
  writeDaNodes(bytes, 0, tree, greatest, owner)
  return bytes
}

/** Entries grow from the front, names and values from the back. */
function writeLeaf(
  bytes: Uint8Array,
  tree: DaTree,
  index: number,
  leaf: readonly PlacedAttribute[],
  owner: BlockOwner,
): void {
  const place = leafPlace(tree, index)
  const block = bytes.subarray(place * BLOCK_SIZE, (place + 1) * BLOCK_SIZE)
  let end = BLOCK_SIZE
  let at = da.AttrLeafHeader.size
  for (const { attribute, size, remote } of leaf) {
    const { flags, name, value, hash } = attribute
    end -= size
    if (remote === undefined) {
      da.AttrLocalName.write(block, end, { valuelen: value.length, namelen: name.length })
      block.set(name, end + da.AttrLocalName.size)
      block.set(value, end + da.AttrLocalName.size + name.length)
    } else {
      const valueblk = tree.blocks + remote
      da.AttrRemoteName.write(block, end, { valueblk, valuelen: value.length, namelen: name.length })
      block.set(name, end + da.AttrRemoteName.size)
    }
    const isLocal = remote === undefined ? da.XFS_ATTR_LOCAL : 0
    da.AttrLeafEntry.write(block, at, { hashval: hash, nameidx: end, flags: flags | isLocal })
    at += da.AttrLeafEntry.size
  }
  da.AttrLeafHeader.write(block, 0, {
    ...siblings(leafPlace(tree, 0), tree.leaves, index),
    magic: da.XFS_ATTR3_LEAF_MAGIC,
    blkno: diskAddress(owner.address(place)),
    uuid: owner.uuid,
    owner: owner.number,
    count: leaf.length,
    usedbytes: BLOCK_SIZE - end,
    firstused: end,
    freemap: [at, end - at],
  })
  seal(block, da.AttrLeafHeader.fields.crc.offset)
}

function writeValue(bytes: Uint8Array, first: number, value: Uint8Array, owner: BlockOwner): void {
  for (let done = 0; done < value.length; done += VALUE_ROOM) {
    const place = first + done / VALUE_ROOM
    const block = bytes.subarray(place * BLOCK_SIZE, (place + 1) * BLOCK_SIZE)
    const part = value.subarray(done, done + VALUE_ROOM)
    da.AttrRemoteHeader.write(block, 0, {
      magic: da.XFS_ATTR3_RMT_MAGIC,
      offset: done,
      bytes: part.length,
      uuid: owner.uuid,
      owner: owner.number,
      blkno: diskAddress(owner.address(place)),
    })
    block.set(part, da.AttrRemoteHeader.size)
    seal(block, da.AttrRemoteHeader.fields.crc.offset)
  }
}
