import type { ByteSource, GatherPiece } from '@bootable/bytes'
import { gather } from '@bootable/bytes'
import { btrfsFormatError } from './errors.ts'
import { Header } from './format.ts'
import { type BlockPointer, findFault, type TreeBlock } from './leaf.ts'
import type { SuperblockDetails } from './superblock.ts'

/** A chunk: a range of logical addresses, and where its copies lie. */
export interface ReadChunk {
  readonly address: number
  readonly length: number
  readonly stripes: readonly number[]
}

/** A filesystem that is being read. */
export interface Volume {
  readonly source: ByteSource
  readonly superblock: SuperblockDetails
  /** By ascending address. */
  readonly chunks: readonly ReadChunk[]
}

/** Where the copies of a range of logical addresses lie. @throws FormatError */
export function locate({ chunks }: Volume, address: number, length: number): number[] {
  let low = 0
  let high = chunks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((chunks[middle] as ReadChunk).address <= address) low = middle + 1
    else high = middle
  }
  const chunk = chunks[low - 1]
  if (!chunk || address + length > chunk.address + chunk.length) {
    const message = `no chunk has the ${length} bytes`
    throw btrfsFormatError('FORMAT_INVALID', 'logical address', message, address)
  }
  return chunk.stripes.map((stripe) => stripe + address - chunk.address)
}

/**
 * Reads tree blocks in one go. One whose first copy is damaged is read from the second.
 * @throws FormatError where no copy is whole
 */
export async function readBlocks(volume: Volume, pointers: readonly BlockPointer[]): Promise<TreeBlock[]> {
  const { source, superblock } = volume
  const { nodeSize, fsid, sectorSize } = superblock
  const reads = pointers.map((pointer) => {
    if (pointer.address % sectorSize !== 0) {
      throw btrfsFormatError('FORMAT_INVALID', 'tree block', 'it is not aligned', pointer.address)
    }
    return { pointer, copies: locate(volume, pointer.address, nodeSize), bytes: new Uint8Array(nodeSize) }
  })
  await gather(
    reads.map(({ copies, bytes }): GatherPiece => ({ source, offset: copies[0] as number, target: bytes })),
  )
  const blocks: TreeBlock[] = []
  for (const { pointer, copies, bytes } of reads) {
    const fault = findFault(bytes, pointer, fsid)
    let position = copies[0] as number
    if (fault) {
      const [, second] = copies
      if (second === undefined) throw fault
      position = second
      await source.read(position, bytes)
      if (findFault(bytes, pointer, fsid)) throw fault
    }
    const view = new DataView(bytes.buffer)
    const count = view.getUint32(Header.fields.nritems.offset, true)
    blocks.push({ pointer, bytes, position, count })
  }
  return blocks
}
