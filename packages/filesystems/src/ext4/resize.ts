import { type Geometry, groupStart } from './layout.ts'

/*
 * The resize inode (number 7) owns the blocks behind every copy of the descriptor table, so that the table
 * can grow while the filesystem is mounted (`ext2fs_create_resize_inode`, `fs/ext4/resize.c`). Its double
 * indirect block lists the blocks behind the first copy, and each of those lists its own copies.
 */

/** Groups besides the first that hold a copy of the descriptor table. */
export function backupGroups(geometry: Pick<Geometry, 'groupCount'>): number[] {
  const groups: number[] = []
  for (const base of [3, 5, 7]) {
    for (let group = base; group < geometry.groupCount; group *= base) groups.push(group)
  }
  if (geometry.groupCount > 1) groups.push(1)
  return groups.sort((a, b) => a - b)
}

function firstReserved(geometry: Geometry): number {
  return geometry.firstDataBlock + 1 + geometry.descriptorBlocks
}

/** The double indirect block: at index n the block that will be the nth of the descriptor table. */
export function encodeResizeIndirect(geometry: Geometry): Uint8Array {
  const bytes = new Uint8Array(geometry.blockSize)
  const view = new DataView(bytes.buffer)
  const addresses = geometry.blockSize / 4
  for (let index = 0; index < geometry.reservedDescriptorBlocks; index++) {
    const slot = (geometry.descriptorBlocks + index) % addresses
    view.setUint32(slot * 4, firstReserved(geometry) + index, true)
  }
  return bytes
}

/** The blocks behind the first descriptor table, each with the list of its copies. */
export function encodeReservedDescriptors(geometry: Geometry): Uint8Array {
  const { blockSize, reservedDescriptorBlocks } = geometry
  const bytes = new Uint8Array(reservedDescriptorBlocks * blockSize)
  const view = new DataView(bytes.buffer)
  for (const [column, group] of backupGroups(geometry).entries()) {
    const shift = firstReserved(geometry) + groupStart(geometry, group) - geometry.firstDataBlock
    for (let index = 0; index < reservedDescriptorBlocks; index++) {
      view.setUint32(index * blockSize + column * 4, shift + index, true)
    }
  }
  return bytes
}

/** Size in bytes and blocks of the resize inode, as e2fsck insists on them. */
export function resizeInodeSize(geometry: Geometry): { size: number; blocks: number } {
  const addresses = geometry.blockSize / 4
  const copies = 1 + backupGroups(geometry).length
  return {
    size: (addresses * addresses + addresses + 12) * geometry.blockSize,
    blocks: 1 + geometry.reservedDescriptorBlocks * copies,
  }
}
