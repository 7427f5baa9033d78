/**
 * How records spread over the blocks of a btree: the entries of every block of every level, leaves first,
 * up to a level of at most `top` blocks. Blocks of a level are filled alike, so that none is less than
 * half full, which `xfs_repair` insists on.
 *
 * @param leafRoom records that a leaf holds; @param nodeRoom keys that a node holds
 */
export function btreeLevels(records: number, leafRoom: number, nodeRoom: number, top = 1): number[][] {
  const levels = [distribute(records, leafRoom)]
  for (let level = levels[0] as number[]; level.length > top; levels.push(level)) {
    level = distribute(level.length, nodeRoom)
  }
  return levels
}

/** Blocks of all levels together. */
export function countLevels(levels: readonly (readonly number[])[]): number {
  return levels.reduce((sum, level) => sum + level.length, 0)
}

function distribute(count: number, room: number): number[] {
  const blocks = Math.max(1, Math.ceil(count / room))
  const least = Math.floor(count / blocks)
  const more = count % blocks
  return Array.from({ length: blocks }, (_, index) => (index < more ? least + 1 : least))
}

/**
 * `xfs_btree_calc_size`: blocks of a tree whose blocks hold no more than these records and keys, as the
 * kernel reckons the most that a tree can grow to.
 */
export function largestBtree(records: number, leafLeast: number, nodeLeast: number): number {
  let level = Math.ceil(records / leafLeast)
  let blocks = level
  while (level > 1) {
    level = Math.ceil(level / nodeLeast)
    blocks += level
  }
  return blocks
}
