import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { UserCustomization } from '@bootable/blueprint'
import { readAll } from '@bootable/bytes'
import {
  cloneTree,
  customizeAccounts,
  hashPassword,
  parseAuthorizedKeys,
  sha512Crypt,
} from '@bootable/system'
import type { FileTree } from '@bootable/tree'
import { createFile, createTree, ensureDirectory, putInode, walkTree } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { oracle, requireTool, run, runOk, temporaryFolder } from '../../tooling/oracles.ts'

const CLOCK = 1_750_000_000

/** The smallest `/etc` on which shadow-utils works: path, mode, gid and text. */
const FILES: readonly (readonly [path: string, mode: number, gid: number, text: string])[] = [
  ['etc/passwd', 0o644, 0, 'root:x:0:0:root:/root:/bin/bash\nbin:x:2:2:bin:/bin:/usr/sbin/nologin\n'],
  ['etc/shadow', 0o640, 42, 'root:*:20254:0:99999:7:::\nbin:*:20254:0:99999:7:::\n'],
  ['etc/group', 0o644, 0, 'root:x:0:\nbin:x:2:\nsudo:x:27:\nshadow:x:42:\nusers:x:100:\nmail:x:8:\n'],
  ['etc/gshadow', 0o640, 42, 'root:*::\nbin:*::\nsudo:*::\nshadow:*::\nusers:*::\nmail:*::\n'],
  ['etc/subuid', 0o644, 0, ''],
  ['etc/subgid', 0o644, 0, ''],
  ['etc/skel/.profile', 0o644, 0, 'umask 022\n'],
  // No folder: useradd 4.13 (Debian 12) was seen to stop at the first one; 4.17 copies it as we do.
  ['etc/skel/.bashrc', 0o755, 0, '#!/bin/sh\n'],
]

const DEBIAN = `UID_MIN 1000
UID_MAX 60000
GID_MIN 1000
GID_MAX 60000
PASS_MAX_DAYS 99999
PASS_MIN_DAYS 0
PASS_WARN_AGE 7
USERGROUPS_ENAB yes
HOME_MODE 0700
SUB_UID_MIN 100000
SUB_UID_MAX 600100000
SUB_UID_COUNT 65536
SUB_GID_MIN 100000
SUB_GID_MAX 600100000
SUB_GID_COUNT 65536
`

interface Case {
  readonly title: string
  readonly users: readonly UserCustomization[]
  readonly groups?: readonly { name: string; gid?: number }[]
  readonly loginDefs?: string
  readonly useradd?: string
  /** Text appended to a file before anything happens. */
  readonly extra?: Readonly<Record<string, string>>
}

const CASES: readonly Case[] = [
  { title: 'one user', users: [{ name: 'anna' }] },
  {
    title: 'all fields',
    users: [
      {
        name: 'anna',
        description: 'Anna A.',
        password: '$6$salt$hash',
        shell: '/bin/bash',
        groups: ['sudo', 'users'],
        uid: 1234,
        expiredate: 20000,
      },
    ],
  },
  { title: 'three users and their ids', users: [{ name: 'a' }, { name: 'b', uid: 1500 }, { name: 'c' }] },
  {
    title: 'groups first, with holes in the ids',
    groups: [{ name: 'web', gid: 1000 }, { name: 'db' }],
    users: [{ name: 'anna', groups: ['web', 'db'] }],
  },
  { title: 'an id above the limit', users: [{ name: 'anna', uid: 70000 }, { name: 'b' }] },
  {
    title: 'ids used up',
    users: [{ name: 'a' }, { name: 'b' }],
    extra: { 'etc/passwd': 'z:x:60000:2::/:/bin/sh\n' },
  },
  { title: 'a system uid given', users: [{ name: 'daemon2', uid: 500 }, { name: 'b' }] },
  { title: 'a primary group of its own choice', users: [{ name: 'anna', gid: 100 }] },
  {
    title: 'no user groups',
    loginDefs: DEBIAN.replace('USERGROUPS_ENAB yes', 'USERGROUPS_ENAB no'),
    useradd: 'GROUP=100\n',
    users: [{ name: 'anna' }],
  },
  {
    title: 'defaults of useradd',
    useradd: 'SHELL=/bin/zsh\nHOME=/srv/home\nINACTIVE=30\nEXPIRE=2030-12-31\nCREATE_MAIL_SPOOL=no\n',
    users: [{ name: 'anna' }],
  },
  {
    title: 'a umask instead of a home mode, other ranges, no ageing',
    loginDefs:
      'UMASK 027\nUID_MIN 2000\nUID_MAX 3000\nGID_MIN 2500\nGID_MAX 3000\nUSERGROUPS_ENAB yes\nSUB_UID_COUNT 10\n',
    users: [{ name: 'anna' }, { name: 'ben' }],
  },
  { title: 'a home elsewhere', users: [{ name: 'anna', home: '/opt/people/anna' }] },
  {
    title: 'subordinate ids with a hole',
    users: [{ name: 'a' }],
    extra: { 'etc/subuid': 'x:165536:65536\n', 'etc/subgid': 'x:100000:10\n' },
  },
  {
    title: 'compat lines',
    users: [{ name: 'anna' }],
    extra: { 'etc/passwd': '+::::::\n', 'etc/group': '+:::\n' },
  },
]

const RESULTS = ['passwd', 'shadow', 'group', 'gshadow', 'subuid', 'subgid'].map((name) => `etc/${name}`)

/** The files of a case. */
function filesOf({ loginDefs = DEBIAN, useradd, extra = {} }: Case): typeof FILES {
  const files = FILES.map(([path, mode, gid, text]) => [path, mode, gid, text + (extra[path] ?? '')] as const)
  return [
    ...files,
    ['etc/login.defs', 0o644, 0, loginDefs],
    // Without the file, the defaults that useradd was compiled with differ between distributions.
    ['etc/default/useradd', 0o644, 0, `SHELL=/bin/sh\nCREATE_MAIL_SPOOL=no\n${useradd ?? ''}`],
  ]
}

function treeOf(files: typeof FILES): FileTree {
  const tree = createTree()
  ensureDirectory(tree, 'home')
  for (const [path, mode, gid, text] of files) putInode(tree, path, createFile(text, { mode, gid }))
  return tree
}

function writeFiles(folder: string, files: typeof FILES): void {
  mkdirSync(join(folder, 'home'))
  for (const [path, mode, gid, text] of files) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), text)
    chmodSync(join(folder, path), mode)
    chownSync(join(folder, path), 0, gid)
  }
}

/** Lines `path mode uid:gid` below the homes, and the text of the account files. */
async function describeTree(tree: FileTree): Promise<string[]> {
  const lines: string[] = []
  for (const { path, inode } of walkTree(tree)) {
    const text = inode.type === 'file' ? new TextDecoder().decode(await readAll(inode.content)) : ''
    lines.push(...describeEntry(path, inode.mode, inode.uid, inode.gid, text))
  }
  return lines
}

function describeFolder(folder: string, path = ''): string[] {
  return readdirSync(join(folder, path))
    .sort()
    .flatMap((name) => {
      const here = path === '' ? name : `${path}/${name}`
      const stat = lstatSync(join(folder, here))
      const text = stat.isFile() ? readFileSync(join(folder, here), 'utf8') : ''
      const lines = describeEntry(here, stat.mode & 0o7777, stat.uid, stat.gid, text)
      return stat.isDirectory() ? [...lines, ...describeFolder(folder, here)] : lines
    })
}

function describeEntry(path: string, mode: number, uid: number, gid: number, text: string): string[] {
  const isHome = /^(home|opt|srv)\//.test(path)
  if (!isHome && !RESULTS.includes(path)) return []
  return [`${path} ${mode.toString(8)} ${uid}:${gid}`, ...text.split('\n').map((line) => `  ${line}`)]
}

/** The command line on which osbuild's stage calls useradd. */
function useraddArguments(user: UserCustomization): string[] {
  const flags: string[] = ['--create-home']
  if (user.uid !== undefined) flags.push('--uid', String(user.uid), '-o')
  if (user.gid !== undefined) flags.push('--gid', String(user.gid))
  if (user.groups) flags.push('--groups', user.groups.join(','))
  if (user.description !== undefined) flags.push('--comment', user.description)
  if (user.home !== undefined) flags.push('--home-dir', user.home)
  if (user.shell !== undefined) flags.push('--shell', user.shell)
  if (user.password !== undefined) flags.push('--password', user.password)
  if (user.expiredate !== undefined) flags.push('--expiredate', String(user.expiredate))
  return [...flags, user.name]
}

const isRoot = process.getuid?.() === 0
if (!isRoot) console.warn('tests skipped: useradd --root needs root')

describe.runIf(isRoot && requireTool('useradd', 'groupadd'))('useradd', () => {
  const base = temporaryFolder()

  it.each(CASES.map((value, index) => ({ ...value, index })))('$title', async (given) => {
    const files = filesOf(given)
    const folder = join(base, String(given.index))
    mkdirSync(folder)
    writeFiles(folder, files)
    // The day of the last change: shadow-utils heeds the variable.
    const options = { env: { SOURCE_DATE_EPOCH: String(CLOCK) } }
    for (const { name, gid } of given.groups ?? []) {
      const flags = gid === undefined ? [] : ['--gid', String(gid)]
      await runOk('groupadd', ['--root', folder, ...flags, name], options)
    }
    for (const user of given.users)
      await runOk('useradd', ['--root', folder, ...useraddArguments(user)], options)

    const tree = treeOf(files)
    const { users, groups = [] } = given
    await customizeAccounts(tree, { users, groups, seed: 'seed', mtime: { seconds: CLOCK, nanoseconds: 0 } })
    expect(await describeTree(tree)).toEqual(describeFolder(folder))
  })

  it('refuses what useradd refuses', async () => {
    const refused: Case[] = [
      { title: 'a group that is missing', users: [{ name: 'anna', groups: ['wheel'] }] },
      { title: 'a group of its own that is there', users: [{ name: 'anna' }], groups: [{ name: 'anna' }] },
    ]
    for (const [index, given] of refused.entries()) {
      const folder = join(base, `refused-${index}`)
      mkdirSync(folder)
      writeFiles(folder, filesOf(given))
      for (const { name } of given.groups ?? []) await runOk('groupadd', ['--root', folder, name])
      const [user] = given.users
      const { status } = await run('useradd', [
        '--root',
        folder,
        ...useraddArguments(user as UserCustomization),
      ])
      expect([given.title, status > 0]).toEqual([given.title, true])
      const tree = cloneTree(treeOf(filesOf(given)))
      const { users, groups = [] } = given
      const mtime = { seconds: CLOCK, nanoseconds: 0 }
      await expect(customizeAccounts(tree, { users, groups, seed: 'seed', mtime })).rejects.toMatchObject({
        code:
          /GROUP_MISSING|USER_INVALID/.exec(given.title) ??
          expect.stringMatching(/GROUP_MISSING|USER_INVALID/),
      })
    }
  })
})

oracle('openssl', () => {
  it('makes the same SHA-512 hashes', async () => {
    // Without an empty one: openssl makes none of it.
    for (const password of [
      'a',
      'secret',
      'pässwörd',
      'x'.repeat(63),
      'y'.repeat(64),
      'z'.repeat(65),
      'w'.repeat(200),
    ]) {
      const salt = `s.${password.length}/`
      const { stdout } = await runOk('openssl', ['passwd', '-6', '-salt', salt, '-stdin'], {
        input: `${password}\n`,
      })
      expect(sha512Crypt(password, { salt })).toBe(stdout.trim())
    }
    const hash = hashPassword('secret', { seed: 'seed', user: 'anna' })
    const [, , salt = ''] = hash.split('$')
    expect(salt).toHaveLength(16)
    expect((await runOk('openssl', ['passwd', '-6', '-salt', salt, 'secret'])).stdout.trim()).toBe(hash)
  })
})

oracle('ssh-keygen', () => {
  const folder = temporaryFolder()

  it.each([
    ['ed25519', []],
    ['rsa', ['-b', '2048']],
    ['ecdsa', ['-b', '256']],
    ['ecdsa', ['-b', '521']],
  ])('takes its %s keys %j, whole', async (type, flags) => {
    const path = join(folder, `${type}${flags.join('')}`)
    await runOk('ssh-keygen', ['-q', '-t', type, ...flags, '-N', '', '-C', 'anna at home', '-f', path])
    const line = readFileSync(`${path}.pub`, 'utf8')
    expect(parseAuthorizedKeys(line, 'anna')).toEqual([line.trim()])

    const tree = treeOf(FILES)
    const user = { name: 'anna', key: `${line}\nfrom="10.0.0.*" ${line}` }
    await customizeAccounts(tree, { users: [user], seed: 'seed', mtime: { seconds: CLOCK, nanoseconds: 0 } })
    const written = (await describeTree(tree))
      .filter((text) => text.includes('anna at home'))
      .map((text) => text.trim())
    expect(written).toHaveLength(2)
    writeFileSync(`${path}.keys`, `${written.join('\n')}\n`)
    const { stdout } = await runOk('ssh-keygen', ['-l', '-f', `${path}.keys`])
    expect(stdout.trim().split('\n')).toHaveLength(2)

    const cut = line.split(' ').map((word, index) => (index === 1 ? word.slice(0, 20) : word))
    writeFileSync(`${path}.cut`, cut.join(' '))
    expect((await run('ssh-keygen', ['-l', '-f', `${path}.cut`])).status).toBeGreaterThan(0)
    expect(() => parseAuthorizedKeys(cut.join(' '), 'anna')).toThrow(
      expect.objectContaining({ code: 'KEY_INVALID' }),
    )
  })
})
