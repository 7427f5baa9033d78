import { BootableError } from '@bootable/bytes'
import { readSelinuxPolicy } from '@bootable/system'
import { createFile, createTree, putInode, removePath } from '@bootable/tree'
import { describe, expect, test } from 'vitest'
import { policyTree } from './policy-tree.ts'

const FILE = { type: 'file' } as const
const DIRECTORY = { type: 'directory' } as const

/** The labels of regular files. */
async function labels(files: Readonly<Record<string, string>>, paths: readonly string[]) {
  const policy = await readSelinuxPolicy(policyTree(files))
  return paths.map((path) => policy?.label(path, FILE))
}

async function refusal(files: Readonly<Record<string, string>>): Promise<BootableError> {
  try {
    await readSelinuxPolicy(policyTree(files))
  } catch (error) {
    if (BootableError.is(error)) return error
    throw error
  }
  throw new Error('accepted')
}

describe('which policy an image has', () => {
  const spec = { '': '/.* all\n' }

  test.each([
    ['SELINUX=permissive\nSELINUXTYPE=targeted', 'permissive'],
    ['# comment\n\n  SELINUX=Enforcing  \nSELINUXTYPE=targeted \r\n', 'enforcing'],
    ['SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=targeted', 'enforcing'],
  ])('%j', async (config, mode) => {
    expect(await readSelinuxPolicy(policyTree(spec, config))).toMatchObject({ type: 'targeted', mode })
  })

  test.each([
    'SELINUX=disabled\nSELINUXTYPE=targeted',
    'SELINUXTYPE=targeted',
    'SELINUX=enforcing',
    '#SELINUX=enforcing\nSELINUXTYPE=targeted',
    'SELINUX=enforcing\nSELINUXTYPE=mls',
    '',
  ])('none: %j', async (config) => {
    expect(await readSelinuxPolicy(policyTree(spec, config))).toBeUndefined()
  })

  test('none without a configuration, or without a compiled policy', async () => {
    expect(await readSelinuxPolicy(createTree())).toBeUndefined()
    const tree = policyTree(spec)
    removePath(tree, 'etc/selinux/targeted/policy/policy.33')
    expect(await readSelinuxPolicy(tree)).toBeUndefined()
    putInode(tree, 'etc/selinux/targeted/policy/policy.kern', createFile(''))
    expect(await readSelinuxPolicy(tree)).toBeUndefined()
  })

  test('of a commit, in /usr/etc', async () => {
    const tree = policyTree(spec, undefined, 'usr/etc')
    expect((await readSelinuxPolicy(tree))?.type).toBe('targeted')
    expect(await readSelinuxPolicy(tree, { etc: 'etc' })).toBeUndefined()
    expect((await readSelinuxPolicy(tree, { etc: 'usr/etc' }))?.type).toBe('targeted')
  })

  test('a policy without contexts is an error', async () => {
    const error = await refusal({})
    expect(error.code).toBe('CONFIGURATION_INVALID')
    expect(error.message).toContain('contexts/files/file_contexts is missing')
  })
})

describe('which line wins', () => {
  test('the last, of all files in their order', async () => {
    const found = await labels(
      {
        '': '/.* base\n/home/.* base\n',
        '.homedirs': '/home/[^/]+ home\n/srv/.* home\n',
        '.local': '/srv/.* local\n',
      },
      ['/x', '/home/anna', '/home/anna/x', '/srv/x'],
    )
    expect(found).toEqual(['base', 'home', 'base', 'local'])
  })

  test('a literal path beats every regex; only a few characters may be escaped in one', async () => {
    const text = '/a\\.b literal\n/a]b regex?\n/\\d digit\n/.* all\n'
    expect(await labels({ '': text }, ['/a.b', '/axb', '/a]b', '/7'])).toEqual([
      'literal',
      'all',
      'all',
      'all',
    ])
  })

  test('types', async () => {
    const text = '/.* any\n/d.* -d directory\n/f -- file\n/f link -extra\n'
    const policy = await readSelinuxPolicy(
      policyTree({
        '': '/.* any\n/x.* -d d\n/x.* -- f\n/x.* -l l\n/x.* -c c\n/x.* -b b\n/x.* -p p\n/x.* -s s\n',
      }),
    )
    expect([
      policy?.label('/x', DIRECTORY),
      policy?.label('/x', FILE),
      policy?.label('/x', { type: 'symlink' }),
      policy?.label('/x', { type: 'device', kind: 'character' }),
      policy?.label('/x', { type: 'device', kind: 'block' }),
      policy?.label('/x', { type: 'fifo' }),
      policy?.label('/x', { type: 'socket' }),
    ]).toEqual(['d', 'f', 'l', 'c', 'b', 'p', 's'])
    expect((await refusal({ '': text })).message).toContain(':4: link is no type of a file')
  })

  test('<<none>> and no match at all', async () => {
    const text = '/tmp/.* tmp\n/tmp/[^/]+/.* <<none>>\n/proc <<none>>\n'
    expect(await labels({ '': text }, ['/tmp/a', '/tmp/a/b', '/proc', '/x'])).toEqual([
      'tmp',
      undefined,
      undefined,
      undefined,
    ])
  })

  test('slashes', async () => {
    const text = '/ root\n/a a\n/a/b.* b\n'
    expect(await labels({ '': text }, ['/', '//', '/a/', '//a//', '/a//b///c'])).toEqual([
      'root',
      'root',
      'a',
      'a',
      'b',
    ])
  })

  test('aliases: each file once, the longest, at the end of a name', async () => {
    const files = {
      '': '/.* other\n/usr/lib(/.*)? lib\n/usr/lib/systemd(/.*)? systemd\n/run(/.*)? run\n/deep(/.*)? deep\n',
      '.subs': '# no alias\n/mine /lib\n/root /\n/incomplete\n',
      '.subs_dist':
        '/lib /usr/lib\n/lib/unit /usr/lib/systemd\n  /var/run\t/run  ignored\n/twice /once\n/once /deep\n',
    }
    expect(
      await labels(files, [
        '/lib',
        '/lib/x',
        '/libx',
        '/lib/unit/x',
        '/mine/x',
        '/var/run/x',
        '/twice/x',
        '/root/run/x',
        '/root',
      ]),
    ).toEqual(['lib', 'lib', 'other', 'systemd', 'lib', 'run', 'other', 'run', 'other'])
  })
})

describe('lines', () => {
  test('blanks, comments, lines without an end', async () => {
    const text = '\n  # /x.* no\n\t/a\t--\tone  \r\n/b two\n/c three'
    expect(await labels({ '': text }, ['/a', '/b', '/c', '/x'])).toEqual(['one', 'two', 'three', undefined])
  })

  test.each([
    ['/a\n', ':1: /a has no context'],
    ['#\n/ä context\n', ':2: /ä is not ASCII'],
    ['/a -x context\n', ':1: -x is no type of a file'],
    [`/${'a'.repeat(4096)} context\n`, ':1: the regex is longer'],
    ['/a(?!b) context\n', ':1: /a(?!b) cannot be used'],
    ['/(b context\n', 'not closed'],
  ])('refused: %j', async (text, message) => {
    const error = await refusal({ '': text })
    expect(error.code).toBe('CONFIGURATION_INVALID')
    expect(error.message).toContain(message)
  })

  test('one path on very many lines: the last one counts, at no more than a line costs', async () => {
    const text = `${'/a context\n'.repeat(100_000)}/a -d last\n`
    expect(await labels({ '': text }, ['/a'])).toEqual(['context'])
  })

  test('regexes that are too large together are refused', async () => {
    const text = Array.from({ length: 10 }, (_, index) => `/${index}[a]{60000} context\n`).join('')
    expect((await refusal({ '': text })).code).toBe('POLICY_TOO_LARGE')
  })
})
