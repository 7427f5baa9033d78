import { MiB } from '@bootable/bytes'
import type { FileTree, Timestamp } from '@bootable/tree'
import {
  createDevice,
  createDirectory,
  createFifo,
  createFile,
  createSocket,
  createSymlink,
  createTree,
  putInode,
} from '@bootable/tree'
import { holedSource, patternBytes } from './trees.ts'

/** One of everything, under names that a listing of the host can show. */
export function sampleTree(): FileTree {
  const at = (seconds: number, nanoseconds = 0): { mtime: Timestamp } => ({ mtime: { seconds, nanoseconds } })
  const tree = createTree({ mode: 0o751, uid: 3, gid: 4, ...at(1_600_000_000, 5) })
  for (let index = 0; index < 3000; index++) {
    putInode(
      tree,
      `usr/share/many/ein Name mit Ü, Nummer ${index}`,
      createFile(`${index}`, at(index * 3_000_000, index)),
    )
  }
  const binary = putInode(
    tree,
    'usr/bin/busy',
    createFile(patternBytes(3_000_000), { mode: 0o4755, ...at(-5, 1) }),
  )
  putInode(tree, 'usr/bin/link', binary)
  putInode(
    tree,
    'usr/lib/sparse',
    createFile(holedSource(200 * MiB, [0, 5_000_001, 150_000_000], 9999), at(2 ** 33, 7)),
  )
  putInode(tree, 'dev/null', createDevice('character', 1, 3, { mode: 0o666 }))
  putInode(tree, 'dev/nvme', createDevice('block', 259, 70_000, { mode: 0o660, gid: 6 }))
  putInode(tree, 'run/fifo', createFifo())
  putInode(tree, 'run/socket', createSocket())
  putInode(tree, 'fast', createSymlink('x'.repeat(59)))
  putInode(tree, 'slow', createSymlink('x/'.repeat(500), at(4_000_000_000, 999_999_999)))
  const acl = (...entries: [tag: number, permissions: number, id: number][]): Uint8Array => {
    const view = new DataView(new ArrayBuffer(4 + entries.length * 8))
    view.setUint32(0, 2, true)
    for (const [index, [tag, permissions, id]] of entries.entries()) {
      view.setUint16(4 + index * 8, tag, true)
      view.setUint16(6 + index * 8, permissions, true)
      view.setUint32(8 + index * 8, id, true)
    }
    return new Uint8Array(view.buffer)
  }
  const nobody = 0xffff_ffff
  const entries: [number, number, number][] = [
    [1, 7, nobody],
    [2, 5, 70_000],
    [4, 5, nobody],
    [8, 4, 12],
    [16, 5, nobody],
    [32, 0, nobody],
  ]
  const xattrs = new Map([
    ['user.one', patternBytes(20)],
    ['user.two', patternBytes(600)],
    ['trusted.three', new Uint8Array()],
    [
      'security.capability',
      Uint8Array.from([1, 0, 0, 2, 0x80, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ],
    ['system.posix_acl_access', acl(...entries)],
  ])
  putInode(tree, 'attributes/file', createFile('x', { mode: 0o750, uid: 70_000, gid: 2 ** 32 - 2, xattrs }))
  const inherited = new Map([['system.posix_acl_default', acl(...entries)]])
  putInode(tree, 'attributes/directory', createDirectory({ xattrs: inherited }))
  return tree
}
