import { type ByteRange, type ByteSource, checkRead, type GatherPiece, gather } from '@bootable/bytes'

/** A block that stands in the file as it is, from this byte on. */
export interface PlainPlace {
  readonly type: 'plain'
  readonly offset: number
}

/** A block in a form that has to be turned into a block first: `length` bytes of the file. */
export interface PackedPlace {
  readonly type: 'packed'
  readonly offset: number
  readonly length: number
}

/** Where a block of the disk lies in its file; `undefined` for one that reads as zero. */
export type BlockPlace = PlainPlace | PackedPlace | undefined

/** A stretch of the disk whose blocks are found without further reads. */
export interface BlockTable {
  /** @param block counted from the table's first; @throws FormatError for an entry that makes no sense */
  place(block: number): BlockPlace
}

/** How the blocks of a disk are found in its file. */
export interface BlockMap {
  /** Bytes of the disk. */
  readonly size: number
  readonly blockSize: number
  readonly blocksPerTable: number
  /** The table with this number; none where all of its blocks read as zero. */
  table(index: number): Promise<BlockTable | undefined>
  /** The block of a packed place; one that the disk's end cuts short may end there. */
  unpack?(place: PackedPlace, block: number): Promise<Uint8Array>
  /** The format, for messages. */
  readonly format: string
  /** Whether the file may end within a plain block, whose missing bytes are zero. */
  readonly shortFile?: boolean
}

/** A source whose data ranges are known. */
export type MappedSource = ByteSource & { dataRanges(): AsyncIterable<ByteRange> }

/** The disk that a map finds in a file. Neighbouring plain blocks are read together. */
export function mappedSource(file: ByteSource, map: BlockMap): MappedSource {
  const { size, blockSize, blocksPerTable } = map
  return {
    size,
    async read(offset, target) {
      checkRead(size, offset, target.length, map.format)
      const plain: GatherPiece[] = []
      const packed: { place: PackedPlace; block: number; within: number; part: Uint8Array }[] = []
      const end = offset + target.length
      let open: { readonly index: number; readonly table: BlockTable | undefined } | undefined
      for (let at = offset; at < end; ) {
        const block = Math.floor(at / blockSize)
        const within = at - block * blockSize
        const part = target.subarray(at - offset, Math.min(end, (block + 1) * blockSize) - offset)
        const index = Math.floor(block / blocksPerTable)
        if (open?.index !== index) open = { index, table: await map.table(index) }
        const place = open.table?.place(block % blocksPerTable)
        if (!place) part.fill(0)
        else if (place.type === 'packed') packed.push({ place, block, within, part })
        else {
          const from = place.offset + within
          const stored = map.shortFile ? Math.min(part.length, Math.max(0, file.size - from)) : part.length
          plain.push({ source: file, offset: from, target: part.subarray(0, stored) })
          part.fill(0, stored)
        }
        at += part.length
      }
      const unpacking = packed.map(async ({ place, block, within, part }) => {
        const data = await map.unpack?.(place, block)
        if (data) part.set(data.subarray(within, within + part.length))
      })
      await Promise.all([gather(plain), ...unpacking])
    },
    async *dataRanges() {
      const blocks = Math.ceil(size / blockSize)
      let start = 0
      let end = 0
      for (let first = 0; first < blocks; first += blocksPerTable) {
        const table = await map.table(first / blocksPerTable)
        if (!table) continue
        for (let block = first; block < Math.min(blocks, first + blocksPerTable); block++) {
          if (!table.place(block - first)) continue
          if (block * blockSize !== end) {
            if (end > start) yield { offset: start, length: end - start }
            start = block * blockSize
          }
          end = Math.min(size, (block + 1) * blockSize)
        }
      }
      if (end > start) yield { offset: start, length: end - start }
    },
    ...(file.close ? { close: () => file.close?.() ?? Promise.resolve() } : {}),
  }
}
