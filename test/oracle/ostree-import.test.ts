import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { streamSource } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  fetchLayers,
  type Image,
  type ImageLayer,
  type LayerCache,
  memberContent,
  openImage,
} from '@bootable/oci'
import { openOciArchive, temporaryLayerCache } from '@bootable/oci/node'
import {
  type Checksum,
  createRepository,
  type ImportedImage,
  type ImportImageOptions,
  importImage,
  layerRef,
  type Repository,
  readCommit,
  writeRepository,
} from '@bootable/ostree'
import { createTree, findDirectory } from '@bootable/tree'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { entries, imageOf } from '../../packages/ostree/test/import/images.ts'
import { type Fixture, findFixture } from '../../tooling/fixture.ts'
import { writeHostTree } from '../../tooling/host-tree.ts'
import { type LayerFile, layerTar, TAR_END, tarHeader, tarPadding } from '../../tooling/layer-tar.ts'
import { requireOracleRoot, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { requireTool, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const runtime = nodeRuntime

/** Where a member stands in the commit of its layer; `undefined` for one that is dropped. */
function commitPath(path: string): string | undefined {
  if (/^(?:run|tmp|proc|sys|dev)\//.test(path)) return undefined
  return path.replace(/^etc(?=\/|$)/, 'usr/etc')
}

/** What is left of a layer before it goes to `ostree commit`. */
function filtered<T extends Pick<LayerFile, 'path' | 'type' | 'linkName'>>(layer: readonly T[]): T[] {
  return layer.flatMap((entry) => {
    const path = commitPath(entry.path)
    if (path === undefined) return []
    if (entry.type !== 'hardlink') return [{ ...entry, path }]
    return [{ ...entry, path, linkName: (entry.linkName ?? '').replace(/^etc\//, 'usr/etc/') }]
  })
}

/** A layer of an image as a tar that went through {@link filtered}. */
async function* filteredTar({ members, content }: ImageLayer): AsyncGenerator<Uint8Array> {
  for (const member of filtered(members)) {
    yield tarHeader(member, member.size)
    if (member.size > 0) yield* streamSource(memberContent(content, member))
    yield tarPadding(member.size)
  }
  yield TAR_END
}

/** Writes layers as `0.tar` and so on. */
async function writeLayers(folder: string, layers: readonly ImageLayer[]): Promise<void> {
  for (const [index, layer] of layers.entries()) {
    await pipeline(Readable.from(filteredTar(layer)), createWriteStream(join(folder, `${index}.tar`)))
  }
}

interface Imported extends ImportedImage {
  readonly image: Image
  readonly repository: Repository
}

async function importInto(image: Image, options: Partial<ImportImageOptions> = {}): Promise<Imported> {
  const repository = createRepository({ runtime })
  const reference = 'docker://registry.example.com/os:latest'
  return { image, repository, ...(await importImage(image, { repository, reference, runtime, ...options })) }
}

/** The commits of the layers and of the whole, the base first. */
function commitsOf({ image, repository, commit }: Imported): Checksum[] {
  const refs = image.layers.map(({ descriptor }) => repository.refs.get(layerRef(descriptor.digest)) ?? '')
  return [...refs, commit]
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** `ostree commit` with the time, the parent and the metadata of a commit of ours. */
function commitCommand(repository: Repository, commit: Checksum, ...more: readonly string[]): string {
  const { metadata, timestamp, parent } = readCommit(repository, commit)
  const strings = [...metadata].map(([key, value]) => `--add-metadata-string=${key}=${String(value)}`)
  const parents = parent === undefined ? [] : [`--parent=${parent}`]
  const always = [
    '--repo=repo',
    '--no-bindings',
    '--fsync=false',
    '--orphan',
    '--link-checkout-speedup',
    `--timestamp=@${timestamp}`,
  ]
  return ['ostree', 'commit', ...always, ...parents, ...strings, ...more].map(quote).join(' ')
}

/** One tar as `bootc` would have `ostree` commit it. Prints the commit. */
function commitLayer({ repository }: Imported, commit: Checksum, tar: string, ...more: string[]): string {
  return commitCommand(repository, commit, '--tar-autocreate-parents', `--tree=tar=${tar}`, ...more)
}

/** Commits laid over each other in `root`, whiteouts in all but a base. */
function checkoutAll(commits: readonly Checksum[], base?: Checksum): string {
  const checkout = (commit: Checksum): string =>
    `ostree checkout --repo=repo --require-hardlinks --fsync=false --union ${commit === base ? '' : '--whiteouts'} ${commit} root`
  return ['rm -rf root', ...commits.map(checkout)].join(' && ')
}

const NAMES = ['a', 'b', 'c', '-d', '.e', 'ä']
const TOPS = ['usr', 'etc', 'var', 'opt', 'run', 'dev']

interface Step {
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'whiteout' | 'opaque'
  readonly top: string
  readonly names: readonly string[]
  readonly number: number
  readonly xattr: boolean
}

const arbitraryStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('file', 'file', 'directory', 'symlink', 'hardlink', 'whiteout', 'opaque'),
  top: fc.constantFrom(...TOPS),
  names: fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }),
  number: fc.nat(40),
  xattr: fc.boolean(),
})

/** A layer of these steps, those left out that one layer cannot have beside each other. */
function layerOf(steps: readonly Step[]): LayerFile[] {
  const layer = entries('5 etc/')
  const types = new Map<string, 'directory' | 'file'>([
    ['usr', 'directory'],
    ['usr/etc', 'directory'],
  ])
  const targets: string[] = []

  function fits(path: string, type: 'directory' | 'file'): boolean {
    const names = (commitPath(path) ?? path).split('/')
    const parents = names.slice(1).map((_, index) => names.slice(0, index + 1).join('/'))
    const whole = names.join('/')
    const isFree = types.get(whole) === undefined || types.get(whole) === type
    if (!isFree || parents.some((parent) => types.get(parent) === 'file')) return false
    for (const parent of parents) types.set(parent, 'directory')
    types.set(whole, type)
    return true
  }

  for (const { kind, top, names, number, xattr } of steps) {
    const parent = [top, ...names.slice(0, -1)].join('/')
    const path = `${parent}/${names.at(-1)}`
    const isDropped = commitPath(path) === undefined
    const xattrs = new Map(xattr && kind !== 'symlink' ? [['user.n', new Uint8Array([number, 0, 10])]] : [])
    const attributes = {
      uid: number % 4,
      gid: number % 3,
      mode: [0o755, 0o4711, 0o600, 0o1777][number % 4] ?? 0,
      xattrs,
    }
    if (kind === 'hardlink') {
      const linkName = targets[number % targets.length]
      if (linkName === undefined || linkName === path || isDropped || types.has(commitPath(path) ?? ''))
        continue
      if (fits(path, 'file')) layer.push({ ...attributes, path, type: kind, linkName, xattrs: new Map() })
    } else if (kind === 'directory') {
      if (fits(path, kind)) layer.push({ ...attributes, path, type: kind })
    } else if (kind === 'whiteout' || kind === 'opaque') {
      const name = kind === 'opaque' ? `${path}/.wh..wh..opq` : `${parent}/.wh.${names.at(-1)}`
      if (fits(name, 'file')) layer.push({ path: name, type: 'file' })
    } else if (fits(path, 'file')) {
      const data = 'x'.repeat(number % 7 === 0 ? 0 : number)
      layer.push(
        kind === 'file'
          ? { ...attributes, path, type: kind, data }
          : { ...attributes, path, type: kind, linkName: `../${number}`, mode: 0o777 },
      )
      if (!isDropped && kind === 'file') targets.push(path)
    }
  }
  return layer
}

const arbitraryStack = fc
  .array(fc.array(arbitraryStep, { maxLength: 14 }), { minLength: 1, maxLength: 4 })
  .map((stack) => stack.map(layerOf))

/** Runs a shell script in a folder; answers the lines of its output. */
type RunScript = (folder: string, script: string) => Promise<string[]>

const onHost: RunScript = async (folder, script) => {
  const { stdout } = await runOk('sh', ['-ec', script], { cwd: folder, timeout: 240_000 })
  return stdout.trim().split('\n')
}

const inOracleRoot: RunScript = async (folder, script) => {
  writeFileSync(join(folder, 'script'), script)
  const args = ['-ec', 'cd /work && sh -e ./script']
  const { stdout } = await runOkInOracleRoot(folder, 'sh', args, { timeout: 240_000 })
  return stdout.trim().split('\n')
}

/** What `ostree` makes of random layers, beside what we make of them. */
async function compareRandomLayers(folder: string, runScript: RunScript, skipped: RegExp): Promise<number> {
  const script = ['ostree init --repo=repo --mode=bare']
  const expected: Checksum[] = []
  for (const [number, stack] of fc.sample(arbitraryStack, { seed: 20_260_102, numRuns: 25 }).entries()) {
    const imported = await importInto(await imageOf(stack))
    const commits = commitsOf(imported)
    const merge = commits.pop() as Checksum
    for (const [index, layer] of stack.entries()) {
      const tar = `${number}-${index}.tar`
      writeFileSync(join(folder, tar), layerTar(filtered(layer)))
      script.push(commitLayer(imported, commits[index] as Checksum, tar))
    }
    const tree = commitCommand(imported.repository, merge, '--tree=dir=root')
    script.push(`if (${checkoutAll(commits)}) 2>error; then ${tree}; else head -1 error; fi`)
    expected.push(...commits, merge)
  }
  const lines = await runScript(folder, script.join('\n'))
  expect(lines.map((line, index) => (skipped.test(line) ? expected[index] : line))).toEqual(expected)
  return lines.filter((line) => skipped.test(line)).length
}

const isRoot = process.getuid?.() === 0

describe.runIf(requireTool('ostree') && isRoot)('ostree of the host', () => {
  const folder = temporaryFolder()

  test('commits random layers and lays them over each other as we do', async () => {
    // ostree before 2024 cannot put a directory in the place of a file or a link.
    const skipped = await compareRandomLayers(
      folder,
      onHost,
      /^error: opendir\(.*\): (?:Not a directory|No such file or directory)$/,
    )
    expect(skipped).toBeLessThan(12)
  })

  test.each([
    ['a hard link into another layer', entries('usr/a==usr/b')],
    ['a device', entries('usr/a!character')],
    ['a fifo', entries('usr/a!fifo')],
    ['a file in place of a directory', entries('usr/a/', 'usr/a=')],
    ['a directory in place of a file', entries('usr/a=', 'usr/a/')],
    ['a file as a parent', entries('usr/a=', 'usr/a/b=')],
  ])('refuses %s, as we do', async (_, layer) => {
    const image = await imageOf([layer])
    await expect(importInto(image)).rejects.toMatchObject({ code: expect.stringMatching(/^OSTREE_/) })
    writeFileSync(join(folder, 'bad.tar'), layerTar(layer))
    const commit = 'ostree commit --repo=repo --orphan --tar-autocreate-parents --tree=tar=bad.tar'
    expect(await onHost(folder, `${commit} >/dev/null 2>&1 || echo refused`)).toEqual(['refused'])
  })
})

describe.runIf(requireOracleRoot('ostree'))('the newest ostree', () => {
  const randomFolder = temporaryFolder()

  test('commits random layers and lays them over each other as we do', async () => {
    expect(await compareRandomLayers(randomFolder, inOracleRoot, /^-$/)).toBe(0)
  })

  describe.each(['trixie-minimal', 'trixie-minimal-selinux'])('%s', (name) => {
    const fixture = findFixture(name)
    const folder = temporaryFolder()

    test.runIf(fixture)(
      'has the commits that it makes of the layers and of all of them',
      async () => {
        const { image, cache, close } = await openFixture(fixture as Fixture)
        const imported = await importInto(image, { cache })
        const commits = commitsOf(imported)
        const merge = commits.pop() as Checksum
        await writeLayers(folder, await fetchLayers(image, { cache, runtime }))
        const policy = findDirectory(imported.tree, 'usr/etc/selinux')
        const labels = policy && name.endsWith('selinux') ? ['--selinux-policy=policy'] : []
        if (policy && labels.length > 0) {
          mkdirSync(join(folder, 'policy/etc/selinux'), { recursive: true })
          await writeHostTree({ root: policy }, join(folder, 'policy/etc/selinux'))
        }
        const lines = await inOracleRoot(
          folder,
          [
            'ostree init --repo=repo --mode=bare',
            ...commits.map((commit, index) => commitLayer(imported, commit, `${index}.tar`, ...labels)),
            checkoutAll(commits),
            commitCommand(imported.repository, merge, '--tree=dir=root', ...labels),
          ].join('\n'),
        )
        expect(lines).toEqual([...commits, merge])
        await close()
      },
      300_000,
    )
  })

  describe('trixie-minimal-native', () => {
    const fixture = findFixture('trixie-minimal-native')
    const folder = temporaryFolder()

    test.runIf(fixture)(
      'finds no fault in what an encapsulated image became',
      async () => {
        const { image, cache, close } = await openFixture(fixture as Fixture)
        const imported = await importInto(image, { cache })
        const { repository, base } = imported
        const [first, chunk, ...commits] = commitsOf(imported)
        const merge = commits.pop() as Checksum
        expect(first).toBe(base)
        expect(readCommit(repository, merge).parent).toBe(base)
        await writeLayers(folder, (await fetchLayers(image, { cache, runtime })).slice(2))
        const tree = createTree()
        writeRepository(repository, tree, 'repo')
        await writeHostTree(tree, folder)
        const lines = await inOracleRoot(
          folder,
          [
            'ostree fsck --repo=repo --all >fsck',
            'tail -1 fsck',
            `ostree ls --repo=repo -C ${chunk} | wc -l`,
            ...commits.map((commit, index) => commitLayer(imported, commit, `${index}.tar`)),
            checkoutAll([base as Checksum, ...commits], base),
            commitCommand(repository, merge, '--tree=dir=root'),
          ].join('\n'),
        )
        const names = [...repository.objects()].length
        expect(lines[0]).toMatch(/^object fsck of 5 commits completed successfully - no errors found/)
        expect(Number(lines[1])).toBeGreaterThan(1000)
        expect(Number(lines[1])).toBeLessThan(names)
        expect(lines.slice(2)).toEqual([...commits, merge])
        await close()
      },
      300_000,
    )
  })
})

async function openFixture({ archive }: Fixture): Promise<{
  image: Image
  cache: LayerCache
  close(): Promise<void>
}> {
  const store = await openOciArchive(archive)
  const cache = await temporaryLayerCache()
  const close = async (): Promise<void> => {
    await cache.close()
    await store.close?.()
  }
  return { image: await openImage(store, 'latest'), cache, close }
}
