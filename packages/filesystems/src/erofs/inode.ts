import { statMode } from '@bootable/tree'
import { encodeDeviceNumber } from '../content/device-number.ts'
import { encodeDirectory } from './directory.ts'
import {
  BLOCK_SIZE,
  EROFS_I_DATALAYOUT_SHIFT,
  EROFS_I_VERSION_EXTENDED,
  InodeCompact,
  InodeExtended,
  XattrIbodyHeader,
} from './format.ts'
import type { ErofsNode } from './inventory.ts'
import {
  chunkAddresses,
  contentSize,
  dataLayout,
  type ErofsLayout,
  headSize,
  type NodePlace,
  nodeNid,
} from './layout.ts'
import { encodeXattrBody } from './xattrs.ts'

/** Writes inodes, with what follows them but for the tails of files, into a piece of their area. */
export interface InodeEncoder {
  encode(node: ErofsNode, place: NodePlace): void
}

/** @param start byte of the volume that is the first of `bytes` */
export function createInodeEncoder(layout: ErofsLayout, bytes: Uint8Array, start: number): InodeEncoder {
  const compact = InodeCompact.at(bytes)
  const extended = InodeExtended.at(bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const sharedStart = layout.inodesEnd % BLOCK_SIZE

  return {
    encode(node, place) {
      const { inode, links, number, xattrs } = node
      const base = place.position - start
      const isExtended = place.inodeSize === InodeExtended.size
      const record = isExtended ? extended : compact
      record.base = base
      record.format =
        (dataLayout(place) << EROFS_I_DATALAYOUT_SHIFT) | (isExtended ? EROFS_I_VERSION_EXTENDED : 0)
      record.xattrIcount = xattrs.size === 0 ? 0 : (xattrs.size - XattrIbodyHeader.size) / 4 + 1
      record.mode = statMode(inode)
      record.size = contentSize(node, place)
      record.u = inodeUnion(node, place)
      record.ino = number
      record.uid = inode.uid
      record.gid = inode.gid
      record.nlink = links
      if (isExtended) {
        extended.mtime = BigInt(inode.mtime.seconds)
        extended.mtimeNsec = inode.mtime.nanoseconds
      }
      encodeXattrBody(bytes, base + place.inodeSize, xattrs, sharedStart)
      encodeTail(node, place, base + headSize(node, place))
    },
  }

  function encodeTail(node: ErofsNode, place: NodePlace, at: number): void {
    const { inode, target } = node
    if (place.chunks && inode.type === 'file') {
      const addresses = chunkAddresses(place.chunks, inode.content.size, place.firstBlock)
      const first = at - place.mapSize
      const room = (place.mapSize + place.tail) / 4
      for (let chunk = 0; chunk < room; chunk++)
        view.setUint32(first + chunk * 4, addresses[chunk] as number, true)
    } else if (target && place.tail > 0) bytes.set(target, at)
    else if (node.directory && place.tail > 0) {
      bytes.set(directoryContent(layout, node).subarray(place.blocks * BLOCK_SIZE), at)
    }
  }
}

/** `i_u`: the first block, the format of chunks, or a device number. */
function inodeUnion({ inode }: ErofsNode, { chunks, firstBlock }: NodePlace): number {
  if (inode.type === 'device') return encodeDeviceNumber(inode)
  return chunks ? chunks.bits : firstBlock
}

/** The names of a directory, in blocks. */
export function directoryContent({ places }: ErofsLayout, { directory }: ErofsNode): Uint8Array {
  if (!directory) return new Uint8Array()
  const { names, plan } = directory
  return encodeDirectory(names, plan, (index) => {
    const { node } = names[index] as (typeof names)[number]
    return nodeNid(places[node.number] as NodePlace)
  })
}
