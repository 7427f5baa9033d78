import type { Inode } from './inode.ts'
import type { FileTree } from './tree.ts'
import { sortedEntries } from './tree.ts'

/** One name of a tree. `path` is `''` for the root. */
export interface WalkEntry {
  readonly path: string
  readonly inode: Inode
  /** Set when this inode was already met under that other path: a hard link. */
  readonly linkOf?: string
}

/** Every name of a tree, parents before children, siblings sorted by the bytes of their names. */
export function* walkTree(tree: FileTree): Generator<WalkEntry, void, undefined> {
  const first = new Map<Inode, string>()
  yield { path: '', inode: tree.root }

  // A stack of iterators instead of recursion: a hostile image may nest deeper than the call stack.
  const stack = [sortedEntries(tree.root)[Symbol.iterator]()]
  const prefixes = ['']
  while (stack.length > 0) {
    const next = (stack[stack.length - 1] as Iterator<[string, Inode]>).next()
    if (next.done) {
      stack.pop()
      prefixes.pop()
      continue
    }
    const [name, inode] = next.value
    const path = `${prefixes[prefixes.length - 1]}${name}`
    if (inode.type === 'directory') {
      yield { path, inode }
      stack.push(sortedEntries(inode)[Symbol.iterator]())
      prefixes.push(`${path}/`)
      continue
    }
    const linkOf = first.get(inode)
    if (linkOf === undefined) {
      first.set(inode, path)
      yield { path, inode }
    } else yield { path, inode, linkOf }
  }
}
