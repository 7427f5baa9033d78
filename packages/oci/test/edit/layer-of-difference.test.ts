import {
  editImage,
  layerOfDifference,
  memoryStore,
  openImage,
  putImage,
  unpackImage,
  writeLayerTar,
} from '@bootable/oci'
import {
  createDirectory,
  createFile,
  createSymlink,
  createTree,
  type FileTree,
  putInode,
  walkTree,
} from '@bootable/tree'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LINUX_LIMITS } from '../../../../tooling/compliance/limits.ts'
import { arbitraryTree } from '../../../../tooling/compliance/trees.ts'
import { dump, list } from '../unpack/layers.ts'

/** The tree of an image of `lower` with the layer that makes it `upper`. */
async function apply(lower: FileTree, upper: FileTree): Promise<FileTree> {
  const store = memoryStore()
  await putImage(store, { layers: [() => writeLayerTar(lower)] }, { reference: 'lower', compression: 'none' })
  const layer = await layerOfDifference(lower, upper)
  await editImage(
    await openImage(store, 'lower'),
    { appendLayers: [{ open: () => writeLayerTar(layer) }] },
    store,
    { reference: 'upper', compression: 'none' },
  )
  return unpackImage(await openImage(store, 'upper'))
}

function treeOf(files: Readonly<Record<string, string>>): FileTree {
  const tree = createTree()
  for (const [path, content] of Object.entries(files)) {
    if (path.endsWith('/')) putInode(tree, path, createDirectory())
    else if (content.startsWith('->')) putInode(tree, path, createSymlink(content.slice(2)))
    else putInode(tree, path, createFile(content))
  }
  return tree
}

const layerNames = async (lower: FileTree, upper: FileTree): Promise<string[]> =>
  list(await layerOfDifference(lower, upper))

describe('layerOfDifference', () => {
  // Sockets cannot be in a layer, nor names that mean a whiteout.
  const limits = {
    ...LINUX_LIMITS,
    fifos: false,
    nameAllowed: (name: string) => LINUX_LIMITS.nameAllowed(name) && !name.startsWith('.wh.'),
  }

  it('makes one random tree of another', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryTree(limits), arbitraryTree(limits), async (lower, upper) => {
        expect(await dump(await apply(lower, upper))).toBe(await dump(upper))
      }),
      { numRuns: 60 },
    )
  })

  it('makes of a random tree one that has lost, kept and changed names', async () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.constantFrom('remove', 'replace', 'link', 'keep')), {
      maxLength: 12,
    })
    await fc.assert(
      fc.asyncProperty(arbitraryTree(limits), edits, async (lower, changes) => {
        const upper = copyTree(lower)
        for (const [pick, what] of changes) changeTree(upper, pick, what)
        expect(await dump(await apply(lower, upper))).toBe(await dump(upper))
      }),
      { numRuns: 100 },
    )
  })

  it('says nothing but the root where nothing differs', async () => {
    const tree = treeOf({ 'a/b': 'x', 'a/c': '->b' })
    expect(await layerNames(tree, copyTree(tree))).toEqual([])
  })

  it('whites out the folder alone when a folder goes', async () => {
    const lower = treeOf({ 'a/b/c': 'x', 'a/b/d/e': 'y', 'a/z': '1' })
    expect(await layerNames(lower, treeOf({ 'a/z': '1' }))).toEqual(['a/', 'a/.wh.b='])
  })

  it('needs no whiteout for what was below a folder that became something else', async () => {
    const lower = treeOf({ 'a/b/c': 'x' })
    expect(await layerNames(lower, treeOf({ 'a/b': '->elsewhere' }))).toEqual(['a/', 'a/b->elsewhere'])
  })

  it('empties a folder of which nothing is left with one marker', async () => {
    const lower = treeOf({ 'a/b': 'x', 'a/c': 'y' })
    expect(await layerNames(lower, treeOf({ 'a/d': 'z' }))).toEqual(['a/', 'a/.wh..wh..opq=', 'a/d=z'])
    expect(await list(await apply(lower, treeOf({ 'a/d': 'z' })))).toEqual(['a/', 'a/d=z'])
  })

  it('takes all names of a hard link together', async () => {
    const lower = treeOf({ 'a/one': 'x', other: 'y' })
    const upper = copyTree(lower)
    const one = createFile('x')
    putInode(upper, 'a/one', one)
    putInode(upper, 'b/two', one)
    expect(await layerNames(lower, upper)).toEqual(['a/', 'a/one=x', 'b/', 'b/two==a/one'])
  })

  it('passes over times where it is told to', async () => {
    const [lower, upper] = [treeOf({ a: 'x' }), createTree()]
    putInode(upper, 'a', createFile('x', { mtime: { seconds: 7, nanoseconds: 0 } }))
    expect(await layerNames(lower, upper)).toEqual(['a=x'])
    expect(await list(await layerOfDifference(lower, upper, { times: false }))).toEqual([])
  })

  it('refuses names that would remove others', async () => {
    await expect(layerOfDifference(createTree(), treeOf({ 'a/.wh.b': 'x' }))).rejects.toMatchObject({
      code: 'LAYER_UNREPRESENTABLE',
    })
  })
})

function copyTree(tree: FileTree): FileTree {
  const copy = createTree({ ...tree.root })
  const made = new Map<unknown, ReturnType<typeof createFile>>()
  for (const { path, inode } of walkTree(tree)) {
    if (path === '') continue
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
    const name = path.slice(path.lastIndexOf('/') + 1)
    const directory = [...walkTree(copy)].find((entry) => entry.path === parent)?.inode
    if (directory?.type !== 'directory') throw new Error(parent)
    if (inode.type === 'directory') {
      directory.entries.set(name, { ...inode, entries: new Map() })
      continue
    }
    const twin = made.get(inode) ?? ({ ...inode } as ReturnType<typeof createFile>)
    made.set(inode, twin)
    directory.entries.set(name, twin)
  }
  return copy
}

function changeTree(tree: FileTree, pick: number, what: string): void {
  const places = [...walkTree(tree)].flatMap(({ inode }) =>
    inode.type === 'directory' ? [...inode.entries.keys()].map((name) => ({ inode, name })) : [],
  )
  const place = places[pick % Math.max(1, places.length)]
  if (!place) return
  const { entries } = place.inode
  if (what === 'remove') entries.delete(place.name)
  if (what === 'replace') entries.set(place.name, pick % 2 === 0 ? createFile('new') : createDirectory())
  const inode = entries.get(place.name)
  if (what === 'link' && inode && inode.type !== 'directory') tree.root.entries.set(`link${pick % 3}`, inode)
}
