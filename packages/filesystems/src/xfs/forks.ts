import { alignDown, alignUp } from '@bootable/bytes'
import { type AttributeTree, planAttributeTree } from './attr-tree.ts'
import { DINODE_SIZE } from './format.ts'
import { INODE_SIZE } from './layout.ts'
import { type Attribute, encodeShortAttributes, shortAttributesSize } from './xattrs.ts'

/*
 * What follows the core of an inode is divided between data and attributes (`di_forkoff`).
 */

/** Bytes of both forks together. */
export const FORK_BYTES = INODE_SIZE - DINODE_SIZE
/** The kernel leaves the data of any inode room for a root with three pointers (`MINDBTPTRS`). */
const DATA_LEAST = 56
/** The most that data may have beside attributes that stand elsewhere (`MINABTPTRS`). */
const DATA_MOST = 296
/** `xfs_default_attroffset` for inodes of 512 bytes. */
const DATA_USUAL = 192
/** Data of a device, fifo or socket: a number of 32 bits, aligned. */
export const DEVICE_AREA = 8

/** How an inode is divided. */
export interface ForkPlan {
  /** Bytes of the data fork. */
  readonly area: number
  /** Attributes in the inode. */
  readonly short?: Uint8Array
  /** Attributes in blocks. */
  readonly tree?: AttributeTree
}

const WHOLE: ForkPlan = { area: FORK_BYTES }
const WHOLE_DEVICE: ForkPlan = { area: DEVICE_AREA }

/**
 * Divides an inode. Data that could stand in it goes out before short attributes do: labels are looked at
 * more often than a directory is listed.
 *
 * @param wanted bytes of data that would like to stand in the inode; {@link DEVICE_AREA} is fixed
 */
export function planForks(attributes: readonly Attribute[], wanted: number, isDevice = false): ForkPlan {
  if (attributes.length === 0) return isDevice ? WHOLE_DEVICE : WHOLE
  const least = isDevice ? DEVICE_AREA : DATA_LEAST
  const size = shortAttributesSize(attributes)
  if (size !== undefined && size <= FORK_BYTES - least) {
    const area = isDevice ? DEVICE_AREA : alignDown(FORK_BYTES - size, 8)
    return { area, short: encodeShortAttributes(attributes, size) }
  }
  const tree = planAttributeTree(attributes)
  if (isDevice) return { area: DEVICE_AREA, tree }
  const fits = wanted > DATA_USUAL && wanted <= DATA_MOST
  return { area: fits ? alignUp(wanted, 8) : DATA_USUAL, tree }
}
