import { equalBytes } from '@bootable/bytes'
import { blockChecksum } from './checksum.ts'
import { btrfsFormatError } from './errors.ts'
import { Header, Item, KeyPointer } from './format.ts'
import type { TreeRoot } from './superblock.ts'

/**
 * A key as it is read. Numbers above 2^53 lose their last digits: only ids of internal objects are so large,
 * and those are told apart by their type.
 */
export interface ReadKey {
  readonly objectid: number
  readonly type: number
  readonly offset: number
}

/** An item of a leaf. */
export interface ReadItem extends ReadKey {
  /** Its data. */
  readonly data: Uint8Array
  /** First byte of the data in the block. */
  readonly at: number
}

/** Where a block is looked for and what it must be. */
export interface BlockPointer extends TreeRoot {
  /** Its first key; `undefined` for a root. */
  readonly key: ReadKey | undefined
}

/** A tree block that was read and found whole. */
export interface TreeBlock {
  readonly pointer: BlockPointer
  readonly bytes: Uint8Array
  /** First byte of the copy on the device that was whole. */
  readonly position: number
  readonly count: number
}

export function compareKeys(a: ReadKey, b: ReadKey): number {
  return a.objectid - b.objectid || a.type - b.type || a.offset - b.offset
}

/** What is wrong with a block; `undefined` for nothing. */
export function findFault(
  bytes: Uint8Array,
  pointer: BlockPointer,
  fsid: Uint8Array,
): ReturnType<typeof btrfsFormatError> | undefined {
  const { address, level, generation, key } = pointer
  const header = Header.at(bytes)
  const fault = (message: string, code: 'FORMAT_INVALID' | 'FORMAT_CHECKSUM' = 'FORMAT_INVALID') =>
    btrfsFormatError(code, 'tree block', message, address)
  if (blockChecksum(bytes) !== header.csum) return fault('its checksum is wrong', 'FORMAT_CHECKSUM')
  // Checked before anything is read as a number of 64 bits, which may be above 2^53.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const bytenr = read64(view, Header.fields.bytenr.offset)
  if (bytenr !== address) return fault(`it says that it lies at ${bytenr}`)
  if (!equalBytes(header.fsid, fsid)) return fault('it belongs to another filesystem')
  if (header.level !== level) return fault(`its level is ${header.level} instead of ${level}`)
  const written = read64(view, Header.fields.generation.offset)
  if (written !== generation) return fault(`it is of generation ${written} instead of ${generation}`)
  const entry = level === 0 ? Item.size : KeyPointer.size
  const room = Math.floor((bytes.length - Header.size) / entry)
  if (header.nritems > room) return fault(`${header.nritems} items`)
  if (level > 0 && header.nritems === 0) return fault('it leads nowhere')
  if (key && (header.nritems === 0 || compareKeys(readKey(view, Header.size), key) !== 0)) {
    return fault('its first key is not the one that led to it')
  }
  for (let index = 1; index < header.nritems; index++) {
    const at = Header.size + index * entry
    if (compareKeys(readKey(view, at - entry), readKey(view, at)) > 0) return fault('its keys do not ascend')
  }
  return undefined
}

/** The items of a leaf, in order. @throws FormatError */
export function* leafItems({ bytes, count, pointer }: TreeBlock): Generator<ReadItem> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let index = 0; index < count; index++) {
    const at = Header.size + index * Item.size
    const start = Header.size + view.getUint32(at + Item.fields.offset.offset, true)
    const size = view.getUint32(at + Item.fields.size.offset, true)
    if (start < Header.size + count * Item.size || start + size > bytes.length) {
      const message = `item ${index} has ${size} bytes at ${start}`
      throw btrfsFormatError('FORMAT_INVALID', 'leaf', message, pointer.address)
    }
    yield { ...readKey(view, at), data: bytes.subarray(start, start + size), at: start }
  }
}

/** The blocks that an inner node leads to, in order. @throws FormatError */
export function nodePointers({ bytes, count, pointer }: TreeBlock): BlockPointer[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: count }, (_, index) => {
    const at = Header.size + index * KeyPointer.size
    const address = read64(view, at + KeyPointer.fields.blockptr.offset)
    const generation = read64(view, at + KeyPointer.fields.generation.offset)
    return { address, level: pointer.level - 1, generation, key: readKey(view, at) }
  })
}

function readKey(view: DataView, at: number): ReadKey {
  return { objectid: read64(view, at), type: view.getUint8(at + 8), offset: read64(view, at + 9) }
}

function read64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
}
