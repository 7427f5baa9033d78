import type { ByteSource } from '@bootable/bytes'
import { btrfsFormatError } from './errors.ts'
import * as btrfs from './format.ts'
import { leafItems } from './leaf.ts'
import { type BlockBudget, scanTree } from './scan.ts'
import type { SuperblockDetails } from './superblock.ts'
import type { ReadChunk, Volume } from './volume.ts'

/** Profiles that keep whole copies on one device; all others divide data over several. */
const PROFILE_NAMES: readonly (readonly [bigint, string])[] = [
  [0x08n, 'raid0'],
  [0x10n, 'raid1'],
  [0x40n, 'raid10'],
  [0x80n, 'raid5'],
  [0x100n, 'raid6'],
  [0x200n, 'raid1c3'],
  [0x400n, 'raid1c4'],
]

/** Finds out which logical addresses lie where. @throws FormatError */
export async function openVolume(
  source: ByteSource,
  superblock: SuperblockDetails,
  budget: BlockBudget,
): Promise<Volume> {
  const system = sortChunks(readSystemChunks(superblock))
  const bootstrap: Volume = { source, superblock, chunks: system }
  const chunks: ReadChunk[] = []
  for await (const leaves of scanTree(bootstrap, superblock.chunkRoot, budget)) {
    for (const leaf of leaves) {
      for (const { type, offset, data } of leafItems(leaf)) {
        if (type === btrfs.BTRFS_CHUNK_ITEM_KEY) chunks.push(decodeChunk(offset, data, superblock))
      }
    }
  }
  return { source, superblock, chunks: sortChunks(chunks) }
}

function* readSystemChunks(superblock: SuperblockDetails): Generator<ReadChunk> {
  const { systemChunks } = superblock
  for (let at = 0; at < systemChunks.length; ) {
    const { type, offset } = btrfs.DiskKey.read(systemChunks, at)
    if (type !== btrfs.BTRFS_CHUNK_ITEM_KEY) throw chunkError(Number(offset), `a key of type ${type}`)
    at += btrfs.DiskKey.size
    const { numStripes } = btrfs.Chunk.read(systemChunks, at)
    const end = at + btrfs.Chunk.size + numStripes * btrfs.Stripe.size
    yield decodeChunk(Number(offset), systemChunks.subarray(at, end), superblock)
    at = end
  }
}

function chunkError(address: number, message: string): Error {
  return btrfsFormatError('FORMAT_INVALID', 'chunk', message, address)
}

function decodeChunk(address: number, data: Uint8Array, { sectorSize }: SuperblockDetails): ReadChunk {
  const { length, type, numStripes } = btrfs.Chunk.read(data)
  const profile = PROFILE_NAMES.find(([bit]) => (type & bit) !== 0n)
  if (profile) {
    const message = `a block group of the profile ${profile[1]}; single and dup are read`
    throw btrfsFormatError('FORMAT_UNSUPPORTED', 'chunk', message, address)
  }
  const copies = (type & btrfs.BTRFS_BLOCK_GROUP_DUP) === 0n ? 1 : 2
  if (numStripes !== copies) throw chunkError(address, `${numStripes} stripes`)
  const isLength = length > 0 && length % sectorSize === 0 && Number.isSafeInteger(address + length)
  if (!isLength || address % sectorSize !== 0) throw chunkError(address, `${length} bytes`)
  const stripes = Array.from(
    { length: copies },
    (_, copy) => btrfs.Stripe.read(data, btrfs.Chunk.size + copy * btrfs.Stripe.size).offset,
  )
  return { address, length, stripes }
}

function sortChunks(chunks: Iterable<ReadChunk>): ReadChunk[] {
  const sorted = [...chunks].sort((a, b) => a.address - b.address)
  let end = 0
  for (const { address, length } of sorted) {
    if (address < end) throw chunkError(address, 'it overlaps the one before')
    end = address + length
  }
  return sorted
}
