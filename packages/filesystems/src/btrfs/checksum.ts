import { rawCrc32c } from '@bootable/bytes'
import { BTRFS_CSUM_SIZE } from './format.ts'

/** Checksum of a superblock or a tree block: all of it but the checksum field. */
export function blockChecksum(block: Uint8Array, start = 0, end = block.length): number {
  return ~rawCrc32c(block, 0xffff_ffff, start + BTRFS_CSUM_SIZE, end) >>> 0
}

/** Checksum of one sector of data. */
export function sectorChecksum(data: Uint8Array, start: number, end: number): number {
  return ~rawCrc32c(data, 0xffff_ffff, start, end) >>> 0
}

/** Hash of a name in a directory, or of an extended attribute (`btrfs_name_hash`). */
export function nameHash(name: Uint8Array): number {
  return rawCrc32c(name, 0xffff_fffe)
}

/** Hash of a name under which an inode stands, with its directory (`btrfs_extref_hash`). */
export function extrefHash(parent: number, name: Uint8Array): number {
  return rawCrc32c(name, parent % 2 ** 32)
}
