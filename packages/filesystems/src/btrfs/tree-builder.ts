import { Header, Item, KeyPointer } from './format.ts'
import type { InlineItem } from './fs-tree.ts'
import type { Allocator } from './layout.ts'
import { GENERATION, LEAF_DATA_SIZE, POINTERS_PER_NODE, type TreeItem } from './node.ts'
import type { NodeStore, OpenBlock } from './node-store.ts'

/** A tree that was written. */
export interface BuiltTree {
  /** Logical address of its root block. */
  readonly address: number
  /** Level of the root block; 0 where it is a leaf. */
  readonly level: number
  /** Blocks of the tree. */
  readonly blocks: number
}

type Key = Pick<TreeItem, 'objectid' | 'type' | 'offset'>

/** A block with its first key, for the level above. */
interface Child {
  readonly key: Key
  readonly address: number
}

const EMPTY_KEY: Key = { objectid: 0, type: 0, offset: 0 }

/**
 * Builds a tree from its items, bottom up: leaves filled one after the other, then the levels above them.
 * All leaves have lower addresses than all blocks of the next level, and so on: {@link levelCounts} tells
 * beforehand which address becomes what.
 *
 * @param items in the order of their keys
 */
export async function buildTree(
  owner: number | bigint,
  items: Iterable<TreeItem | InlineItem>,
  store: NodeStore,
  allocator: Allocator,
): Promise<BuiltTree> {
  const view = new DataView(store.buffer.buffer)
  let leaf: OpenBlock = await openBlock(0)
  let children: Child[] = []
  let first: Key = EMPTY_KEY
  let count = 0
  let dataStart = LEAF_DATA_SIZE

  for (const item of items) {
    if ((count + 1) * Item.size + item.size > dataStart) {
      store.close(leaf, count)
      children.push({ key: first, address: leaf.address })
      leaf = await openBlock(0)
      count = 0
      dataStart = LEAF_DATA_SIZE
    }
    if (count === 0) first = item
    dataStart -= item.size
    const header = leaf.base + Header.size + count * Item.size
    writeKey(view, header, item)
    view.setUint32(header + Item.fields.offset.offset, dataStart, true)
    view.setUint32(header + Item.fields.size.offset, item.size, true)
    const at = leaf.base + Header.size + dataStart
    item.write(store.buffer, at)
    if ('content' in item) {
      const { content } = item
      const end = at + item.size
      store.fill({ source: content, offset: 0, target: store.buffer.subarray(end - content.size, end) })
    }
    count++
  }
  store.close(leaf, count)
  children.push({ key: first, address: leaf.address })

  let blocks = children.length
  let level = 0
  while (children.length > 1) {
    level++
    const above: Child[] = []
    for (let start = 0; start < children.length; start += POINTERS_PER_NODE) {
      const group = children.slice(start, start + POINTERS_PER_NODE)
      const block = await openBlock(level)
      writePointers(view, block.base, group)
      store.close(block, group.length)
      above.push({ key: (group[0] as Child).key, address: block.address })
    }
    children = above
    blocks += above.length
  }
  return { address: (children[0] as Child).address, level, blocks }

  async function openBlock(of: number): Promise<OpenBlock> {
    if (store.isFull) await store.flush()
    return store.open(owner, of, allocator)
  }
}

function writePointers(view: DataView, base: number, children: readonly Child[]): void {
  for (const [index, { key, address }] of children.entries()) {
    const at = base + Header.size + index * KeyPointer.size
    writeKey(view, at, key)
    KeyPointer.fields.blockptr.set(view, at + KeyPointer.fields.blockptr.offset, address)
    KeyPointer.fields.generation.set(view, at + KeyPointer.fields.generation.offset, GENERATION)
  }
}

/** Keys are written by the million: numbers go without a detour over bigint. */
function writeKey(view: DataView, at: number, { objectid, type, offset }: Key): void {
  write64(view, at, objectid)
  view.setUint8(at + 8, type)
  write64(view, at + 9, offset)
}

function write64(view: DataView, at: number, value: number | bigint): void {
  if (typeof value === 'bigint') {
    view.setBigUint64(at, value, true)
    return
  }
  view.setUint32(at, value % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}
