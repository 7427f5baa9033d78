import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readAll } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { openImage, unpackImage } from '@bootable/oci'
import { openLayout, temporaryLayerCache } from '@bootable/oci/node'
import { type InodeType, readSelinuxPolicy, type SelinuxPolicy } from '@bootable/system'
import { createFile, createTree, findFile, putInode, walkTree } from '@bootable/tree'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findFixture } from '../../tooling/fixture.ts'
import { newestOracle, runOkInOracleRoot } from '../../tooling/oracle-root.ts'
import { oracle, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const TYPES: Readonly<Record<string, InodeType>> = {
  file: { type: 'file' },
  dir: { type: 'directory' },
  lnk_file: { type: 'symlink' },
  chr_file: { type: 'device', kind: 'character' },
  blk_file: { type: 'device', kind: 'block' },
  pipe: { type: 'fifo' },
  sock_file: { type: 'socket' },
}

interface Question {
  readonly path: string
  /** A word of `matchpathcon -m`. */
  readonly type: string
}

type Matchpathcon = (args: readonly string[]) => Promise<string>

/** What matchpathcon says to each question; `<<none>>` where nothing is said. */
async function ask(matchpathcon: Matchpathcon, contexts: string, questions: readonly Question[]) {
  const answers = new Map<Question, string>()
  for (const type of Object.keys(TYPES)) {
    const asked = questions.filter((question) => question.type === type)
    // Well below the 2 MiB that Linux takes as arguments.
    for (let from = 0; from < asked.length; from += 5000) {
      const batch = asked.slice(from, from + 5000)
      const lines = (await matchpathcon(['-n', '-f', contexts, '-m', type, ...batch.map(({ path }) => path)]))
        .trimEnd()
        .split('\n')
      expect(lines.length).toBe(batch.length)
      for (const [index, question] of batch.entries()) answers.set(question, lines[index] as string)
    }
  }
  return answers
}

/** The questions that we answer otherwise, with both answers. */
async function differences(
  policy: SelinuxPolicy,
  matchpathcon: Matchpathcon,
  contexts: string,
  questions: readonly Question[],
): Promise<unknown[]> {
  const answers = await ask(matchpathcon, contexts, questions)
  return [...answers].flatMap(([{ path, type }, expected]) => {
    const actual = policy.label(path, TYPES[type] as InodeType) ?? '<<none>>'
    return actual === expected ? [] : [{ path, type, actual, expected }]
  })
}

/** Numbers from 0 to below 1 that are the same in each run (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Paths that lines of the policy mean, nearly mean, or would mean under an alias. */
function inventPaths(texts: readonly string[], count: number): string[] {
  const random = createRandom(20_261_123)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const regexes = texts.flatMap((text) => text.match(/^\/\S*/gm) ?? [])
  const names = [
    'x',
    'a.b',
    'libfoo.so.1.2',
    'é',
    'bin',
    '..',
    ' ',
    'sbin',
    '.so',
    '7',
    'lost+found',
    'A-Z_~',
  ]
  const aliases = ['', '', '', '/lib64', '/usr/lib64', '/run/lock', '/var/run', '/bin', '/usr']
  return Array.from({ length: count }, () => {
    let path = pick(regexes)
      .replace(/\(\/\.[*+]\)\??/g, () => pick(['', '/x', '/x/y.z', '/']))
      .replace(/\[\^\/\]([*+?]?)/g, () => pick(names))
      .replace(/\.[*+]/g, () => pick(['', ...names, 'p/q']))
      .replace(/\[(.)[^\]]*\][*+]?/g, (_, first: string) => first)
      .replace(/\(([^()|]*)\|?[^()]*\)\??/g, (_, first: string) => pick([first, first, '']))
      .replace(/\\(.)/g, '$1')
      .replace(/[?*+]$/, '')
    if (random() < 0.15) path = pick(aliases) + path
    if (random() < 0.15) path += `/${pick(names)}`
    if (random() < 0.1) path = path.replace('/', '//')
    const at = Math.floor(random() * path.length)
    if (random() < 0.15) path = path.slice(0, at) + pick(['', '/', '.', 'z', '0']) + path.slice(at + 1)
    return path.startsWith('/') ? path : `/${path}`
  })
}

function matchpathconType(type: string, kind?: string): string {
  const found = Object.entries(TYPES).find(
    ([, inode]) => inode.type === type && (inode.type !== 'device' || inode.kind === kind),
  )
  return found?.[0] as string
}

const fixture = findFixture('trixie-minimal-selinux')

describe.runIf(fixture)('labels by the policy of Debian', () => {
  const folder = temporaryFolder()
  const cache = temporaryLayerCache()
  let policy: SelinuxPolicy
  /** Every path of the image as what it is there. */
  let present: Question[]
  let invented: string[]

  const base = 'etc/selinux/default/contexts/files/file_contexts'

  beforeAll(async () => {
    const store = await openLayout(fixture!.layout, { runtime: nodeRuntime })
    const tree = await unpackImage(await openImage(store, ''), { cache, runtime: nodeRuntime })
    policy = (await readSelinuxPolicy(tree)) as SelinuxPolicy
    for (const suffix of ['', '.homedirs', '.subs_dist']) {
      const file = findFile(tree, base + suffix)
      writeFileSync(join(folder, `file_contexts${suffix}`), await readAll(file!.content))
    }
    present = [...walkTree(tree)].map(({ path, inode }) => ({
      path: `/${path}`,
      type: matchpathconType(inode.type, inode.type === 'device' ? inode.kind : undefined),
    }))
    const texts = ['', '.homedirs'].map((suffix) =>
      readFileSync(join(folder, `file_contexts${suffix}`), 'utf8'),
    )
    invented = inventPaths(texts, 20_000)
  })
  afterAll(() => cache.close())

  test('the policy is found', () => {
    expect(policy).toMatchObject({ type: 'default', mode: 'permissive' })
    expect(present.length).toBeGreaterThan(9000)
    expect(new Set(invented).size).toBeGreaterThan(10_000)
    const contexts = new Set(invented.map((path) => policy.label(path, { type: 'file' })))
    expect(contexts.size).toBeGreaterThan(500)
  })

  oracle('matchpathcon', () => {
    const matchpathcon: Matchpathcon = async (args) => (await runOk('matchpathcon', args)).stdout
    const contexts = join(folder, 'file_contexts')

    test('every path of the image', async () => {
      expect(await differences(policy, matchpathcon, contexts, present)).toEqual([])
    })

    test('20 000 invented paths, each as one type', async () => {
      const types = Object.keys(TYPES)
      const questions = invented.map((path, index) => ({ path, type: types[index % types.length] as string }))
      expect(await differences(policy, matchpathcon, contexts, questions)).toEqual([])
    })
  })

  newestOracle('matchpathcon', () => {
    const matchpathcon: Matchpathcon = async (args) =>
      (await runOkInOracleRoot(folder, 'matchpathcon', args)).stdout

    test('every path of the image', async () => {
      expect(await differences(policy, matchpathcon, '/work/file_contexts', present)).toEqual([])
    })

    test('20 000 invented paths as every type', async () => {
      const questions = Object.keys(TYPES).flatMap((type) => invented.map((path) => ({ path, type })))
      expect(await differences(policy, matchpathcon, '/work/file_contexts', questions)).toEqual([])
    })
  })
})

/** Random regexes of PCRE from what the automaton can do; operators of all kinds, nested. */
function inventRegex(random: () => number, depth = 0): string {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const atoms = [
    'a',
    'b',
    'ab',
    '.',
    '\\.',
    '[ab]',
    '[^a]',
    '[a-c]',
    '[]a]',
    '[^]b]',
    '[a-]',
    '\\d',
    '\\w',
    '\\S',
  ]
  const odd = [
    '[[:alpha:]]',
    '[[:^digit:]_]',
    '\\x61',
    '\\o{141}',
    '\\-',
    '\\<',
    '{',
    '{x}',
    '}',
    ']',
    '[\\w.]',
    '\\Qa.b\\E',
  ]
  const anchors = ['^', '$', '\\A', '\\z', '(?#note)']
  const items = Array.from({ length: 1 + Math.floor(random() * 4) }, () => {
    const roll = random()
    if (roll < 0.03) return pick(anchors)
    const atom =
      depth < 3 && roll < 0.3
        ? `${pick(['(', '(?:'])}${inventRegex(random, depth + 1)})`
        : pick(random() < 0.7 ? atoms : odd)
    const bare = ['(?#note)', '{', '{x}'].includes(atom)
      ? ['']
      : ['', '', '', '*', '+', '?', '{2}', '{1,}', '{0,2}', '*?', '+?']
    return atom + pick(bare)
  })
  const sequence = items.join('')
  return depth < 3 && random() < 0.15 ? `${sequence}|${inventRegex(random, depth + 1)}` : sequence
}

function inventText(random: () => number): string {
  const characters = ['a', 'a', 'b', 'b', 'c', '.', '7', '_', '-', ']', '{', 'x', '}', '<', ' ', 'é', '/']
  return Array.from(
    { length: Math.floor(random() * 7) },
    () => characters[Math.floor(random() * characters.length)],
  ).join('')
}

describe('regexes that no policy has', () => {
  const folder = temporaryFolder()

  oracle('matchpathcon', () => {
    test('match what PCRE lets match', async () => {
      const random = createRandom(7)
      // A folder for each, so that it alone decides: a | outside of parentheses would reach into the others.
      const regexes = Array.from({ length: 700 }, (_, index) => `/d${index}/(${inventRegex(random)})`)
      const text = regexes.map((regex, index) => `${regex.replaceAll(' ', '')} c${index}\n`).join('')
      writeFileSync(join(folder, 'file_contexts'), text)
      const tree = createTree()
      putInode(tree, 'etc/selinux/config', createFile('SELINUX=enforcing\nSELINUXTYPE=odd\n'))
      putInode(tree, 'etc/selinux/odd/policy/policy.33', createFile(''))
      putInode(tree, 'etc/selinux/odd/contexts/files/file_contexts', createFile(text))
      const policy = (await readSelinuxPolicy(tree)) as SelinuxPolicy
      const questions = regexes.flatMap((_, index) =>
        Array.from({ length: 25 }, () => ({ path: `/d${index}/${inventText(random)}`, type: 'file' })),
      )
      const matching = questions.filter(({ path }) => policy.label(path, { type: 'file' }) !== undefined)
      expect(matching.length).toBeGreaterThan(1000)
      const matchpathcon: Matchpathcon = async (args) => (await runOk('matchpathcon', args)).stdout
      expect(await differences(policy, matchpathcon, join(folder, 'file_contexts'), questions)).toEqual([])
    })
  })
})
