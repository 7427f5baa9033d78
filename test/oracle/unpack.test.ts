import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ProgressEvent, streamSource, toHex } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { openImage, unpackImage } from '@bootable/oci'
import { folderLayerCache, openLayout, openOciArchive, temporaryLayerCache } from '@bootable/oci/node'
import { type FileTree, type Inode, type RegularFile, walkTree } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { findFixture } from '../../tooling/fixture.ts'
import { run, temporaryFolder } from '../../tooling/oracles.ts'

const runtime = nodeRuntime

/** A line of `expected.manifest`, which was made from a folder, never from the layers. */
interface Row {
  readonly path: string
  readonly type: string
  readonly mode: string
  readonly uid: number
  readonly gid: number
  readonly mtime?: number
  readonly size?: number
  readonly sha256?: string
  readonly links?: readonly string[]
  readonly target?: string
  readonly rdev?: readonly number[]
  /** Values in base64. */
  readonly xattrs?: Readonly<Record<string, string>>
}

function readRows(path: string): Row[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Row)
}

/** The tree in the same form. Directories have no time there. */
async function describeTree(tree: FileTree): Promise<Row[]> {
  const names = new Map<Inode, string[]>()
  const entries = [...walkTree(tree)]
  for (const { path, inode } of entries) names.set(inode, [...(names.get(inode) ?? []), `/${path}`])
  const rows: Row[] = []
  const digests = new Map<RegularFile, string>()
  for (const { path, inode } of entries) {
    const { uid, gid, mtime } = inode
    const links = names.get(inode) as string[]
    const row = { path: `/${path}`, mode: `0o${inode.mode.toString(8)}`, uid, gid }
    const xattrs = [...inode.xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')])
    const common = {
      ...row,
      ...(inode.type !== 'directory' && { mtime: mtime.seconds }),
      ...(xattrs.length > 0 && { xattrs: Object.fromEntries(xattrs) as Record<string, string> }),
    }
    if (inode.type === 'file') {
      const sha256 = digests.get(inode) ?? (await hashFile(inode))
      digests.set(inode, sha256)
      const shared = links.length > 1 ? { links: links.toSorted() } : {}
      rows.push({ ...common, type: 'file', size: inode.content.size, sha256, ...shared })
    } else if (inode.type === 'directory') rows.push({ ...common, type: 'dir' })
    else if (inode.type === 'symlink') rows.push({ ...common, type: 'symlink', target: inode.target })
    else if (inode.type === 'device') {
      const type = inode.kind === 'character' ? 'char' : 'block'
      rows.push({ ...common, type, rdev: [inode.major, inode.minor] })
    } else rows.push({ ...common, type: inode.type })
  }
  return rows
}

async function hashFile(file: RegularFile): Promise<string> {
  const hash = runtime.createHash('sha256')
  for await (const chunk of streamSource(file.content)) hash.update(chunk)
  return toHex(hash.digest())
}

/** The paths at which two listings differ, each with both rows: short where thousands are equal. */
function differences(actual: readonly Row[], expected: readonly Row[]): unknown[] {
  const wanted = new Map(expected.map((row) => [row.path, row]))
  const found: unknown[] = []
  for (const row of actual) {
    const other = wanted.get(row.path)
    wanted.delete(row.path)
    if (!other || canonical(row) !== canonical(other)) found.push({ actual: row, expected: other })
  }
  return [...found, ...[...wanted.values()].map((expected) => ({ actual: undefined, expected }))]
}

function canonical(row: Row): string {
  return JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))
}

describe.each(['trixie-minimal', 'trixie-minimal-zstd'])('unpackImage of %s', (name) => {
  const fixture = findFixture(name)

  test.runIf(fixture)('gives the folder that the image was made from', async () => {
    const store = await openOciArchive(fixture!.archive, { runtime })
    const cache = temporaryLayerCache()
    const tree = await unpackImage(await openImage(store, ''), { cache, runtime })
    expect(differences(await describeTree(tree), readRows(fixture!.manifest))).toEqual([])
    await cache.close()
    await store.close?.()
  })
})

describe('a kept cache', () => {
  const fixture = findFixture('trixie-minimal')
  const folder = temporaryFolder()

  test.runIf(fixture)('opens no layer a second time, and gives the same tree', async () => {
    const store = await openLayout(fixture!.layout, { runtime })
    const image = await openImage(store, '')
    const opened: string[] = []
    const watched = {
      ...image,
      store: {
        ...store,
        openBlob: (...args: Parameters<typeof store.openBlob>) => {
          opened.push(args[0].digest)
          return store.openBlob(...args)
        },
      },
    }
    const layers = image.layers.map(({ descriptor }) => descriptor.digest)
    const cold = folderLayerCache(folder)
    await unpackImage(watched, { cache: cold, runtime })
    await cold.close()
    expect(opened.toSorted()).toEqual(layers.toSorted())

    opened.length = 0
    const events: ProgressEvent[] = []
    const warm = folderLayerCache(folder)
    const tree = await unpackImage(watched, {
      cache: warm,
      runtime,
      onProgress: (event) => events.push(event),
    })
    expect(opened).toEqual([])
    expect(events.map(({ type }) => type)).toEqual(layers.map(() => 'skip'))
    expect(differences(await describeTree(tree), readRows(fixture!.manifest))).toEqual([])
    await warm.close()
  })
})

/** Tiny images on which engines disagree, made by `make-edge-images.sh` in this folder; it wants root. */
const scripts = process.env.BOOTABLE_FIXTURE_SCRIPTS
const hasEdgeImages = scripts !== undefined && existsSync(join(scripts, 'make-edge-images.sh'))

describe.runIf(hasEdgeImages && process.getuid?.() === 0)('edge images', () => {
  const folder = temporaryFolder()

  test('whiteouts before and after, hard links across layers', async () => {
    const { status, stderr } = await run('bash', [join(scripts as string, 'make-edge-images.sh'), folder])
    expect(status, stderr).toBe(0)
    const names = readdirSync(folder)
    expect(names.length).toBeGreaterThan(3)
    for (const name of names) {
      const store = await openLayout(join(folder, name, 'oci'), { runtime })
      const tree = await unpackImage(await openImage(store, ''), { runtime })
      const expected = readRows(join(folder, name, 'expected.manifest'))
      expect(differences(await describeTree(tree), expected), name).toEqual([])
    }
  })
})
