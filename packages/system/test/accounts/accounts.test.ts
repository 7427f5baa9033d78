import type { UserCustomization } from '@bootable/blueprint'
import { lookup, resolvePath } from '@bootable/tree'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { customizeAccounts, parseAuthorizedKeys } from '../../src/index.ts'
import { completeRoot } from '../../src/root-directories.ts'
import { bootableImage, ED25519, MTIME, textOf } from '../image.ts'

async function apply(
  users: readonly UserCustomization[],
  options: { files?: Record<string, string>; groups?: { name: string; gid?: number }[] } = {},
) {
  const tree = bootableImage(options.files)
  completeRoot(tree, MTIME)
  await customizeAccounts(tree, { users, groups: options.groups ?? [], seed: 'seed', mtime: MTIME })
  return tree
}

/** The line of a name in an account file. */
async function line(
  tree: Awaited<ReturnType<typeof apply>>,
  file: string,
  name: string,
): Promise<string | undefined> {
  return (await textOf(tree, file)).split('\n').find((text) => text.startsWith(`${name}:`))
}

function stat(tree: Awaited<ReturnType<typeof apply>>, path: string): string {
  const inode = resolvePath(tree, path)?.inode
  return inode
    ? `${inode.type} ${inode.mode.toString(8)} ${inode.uid}:${inode.gid} ${inode.mtime.seconds}`
    : 'nothing'
}

describe('new users', () => {
  it('get all their files', async () => {
    const tree = await apply([{ name: 'anna', password: '$6$s$h', key: ED25519, groups: ['sudo'] }])
    expect(await line(tree, 'etc/passwd', 'anna')).toBe('anna:x:1000:1000::/home/anna:/bin/sh')
    expect(await line(tree, 'etc/shadow', 'anna')).toBe('anna:$6$s$h:20254::99999::::')
    expect(await line(tree, 'etc/group', 'anna')).toBe('anna:x:1000:')
    expect(await line(tree, 'etc/gshadow', 'anna')).toBe('anna:!::')
    expect(await line(tree, 'etc/group', 'sudo')).toBe('sudo:x:27:anna')
    expect(await line(tree, 'etc/gshadow', 'sudo')).toBe('sudo:*::anna')
    expect(await line(tree, 'etc/subuid', 'anna')).toBe('anna:100000:65536')
    expect(stat(tree, 'var/home/anna')).toBe('directory 700 1000:1000 1750000000')
    expect(stat(tree, 'home/anna/.profile')).toBe('file 644 1000:1000 0')
    expect(stat(tree, 'home/anna/.ssh')).toBe('directory 700 1000:1000 1750000000')
    expect(stat(tree, 'home/anna/.ssh/authorized_keys')).toBe('file 600 1000:1000 1750000000')
    expect(await textOf(tree, 'home/anna/.ssh/authorized_keys')).toBe(`${ED25519}\n`)
    expect(stat(tree, 'etc/shadow')).toBe('file 640 0:42 1750000000')
    expect(stat(tree, 'etc/skel/.profile')).toBe('file 644 0:0 0')
  })

  it('must change the password when asked to, and end when told', async () => {
    const tree = await apply([{ name: 'anna', force_password_reset: true, expiredate: 20500 }])
    expect(await line(tree, 'etc/shadow', 'anna')).toBe('anna:!:0::99999:::20500:')
  })

  it('copy the skeleton with folders, links and modes', async () => {
    const tree = await apply([{ name: 'anna' }], {
      files: {
        'etc/skel/.config/app/rc': 'x',
        'etc/skel/rc': '->/etc/skel/.config/app/rc',
        'etc/skel/up': '->../x',
      },
    })
    expect(stat(tree, 'home/anna/.config/app')).toBe('directory 755 1000:1000 0')
    expect(await textOf(tree, 'home/anna/rc')).toBe('x')
    expect(lookup(tree, 'var/home/anna/rc')).toMatchObject({ target: '/home/anna/.config/app/rc', uid: 1000 })
    expect(lookup(tree, 'var/home/anna/up')).toMatchObject({ target: '../x' })
  })

  it('get no home with home = "" or CREATE_HOME no, but one when there is a key', async () => {
    expect(stat(await apply([{ name: 'anna', home: '' }]), 'home/anna')).toBe('nothing')
    const files = { 'etc/login.defs': 'CREATE_HOME no\nUSERGROUPS_ENAB yes\n' }
    expect(stat(await apply([{ name: 'anna' }], { files }), 'home/anna')).toBe('nothing')
    expect(stat(await apply([{ name: 'anna', key: ED25519 }], { files }), 'home/anna')).toContain('directory')
    await expect(apply([{ name: 'anna', home: '', key: ED25519 }])).rejects.toMatchObject({
      code: 'USER_INVALID',
    })
  })

  it('get a mail spool where the image asks for it', async () => {
    const files = {
      'etc/default/useradd': 'CREATE_MAIL_SPOOL=yes\n',
      'var/mail/': '',
      'etc/group': 'mail:x:8:\n',
    }
    const tree = await apply([{ name: 'anna' }], { files })
    expect(stat(tree, 'var/mail/anna')).toBe('file 660 1000:8 1750000000')
    // useradd makes it whether or not it makes the home.
    const homeless = await apply([{ name: 'anna', home: '' }], { files })
    expect(stat(homeless, 'var/mail/anna')).toBe('file 660 1000:8 1750000000')
  })

  it('keep clear of the ids of the image itself', async () => {
    const files = {
      'usr/lib/passwd': 'app:x:1000:1000::/:/bin/sh\n',
      'usr/lib/group': 'app:x:1000:\ndocker:x:990:\n',
    }
    const tree = await apply([{ name: 'anna', groups: ['docker'] }], { files })
    expect(await line(tree, 'etc/passwd', 'anna')).toContain('anna:x:1001:1001:')
    // Only the first file that has a group says who is in it.
    expect(await line(tree, 'etc/group', 'docker')).toBe('docker:x:990:anna')
  })

  it('keeps hashes from others where the image has no shadow file', async () => {
    const tree = bootableImage()
    const etc = resolvePath(tree, 'etc')?.inode
    if (etc?.type !== 'directory') throw new Error('no etc')
    for (const name of ['shadow', 'gshadow', 'subuid', 'subgid']) etc.entries.delete(name)
    await customizeAccounts(tree, {
      users: [{ name: 'anna', home: '', password: 'x' }],
      seed: '',
      mtime: MTIME,
    })
    expect(stat(tree, 'etc/shadow')).toBe('file 600 0:0 1750000000')
    expect([...etc.entries.keys()]).not.toContain('gshadow')
    expect([...etc.entries.keys()]).not.toContain('subuid')
  })
})

describe('users that are there', () => {
  it('are changed, not made', async () => {
    const tree = await apply([{ name: 'root', password: '$6$s$h', shell: '/bin/zsh', key: ED25519 }])
    expect(await textOf(tree, 'etc/passwd')).toBe('root:x:0:0:root:/root:/bin/zsh\n')
    expect(await line(tree, 'etc/shadow', 'root')).toBe('root:$6$s$h:20254:0:99999:7:::')
    expect(stat(tree, 'var/roothome')).toBe('directory 700 0:0 1750000000')
    expect(await textOf(tree, 'var/roothome/.ssh/authorized_keys')).toBe(`${ED25519}\n`)
    // A home that is there gets no skeleton.
    expect(stat(tree, 'var/roothome/.profile')).toBe('nothing')
  })

  it('keep the keys that they have', async () => {
    const files = { 'var/roothome/.ssh/authorized_keys': 'ssh-rsa old\n# note' }
    const tree = await apply([{ name: 'root', key: `${ED25519}\n` }], { files })
    expect(await textOf(tree, 'root/.ssh/authorized_keys')).toBe(`ssh-rsa old\n# note\n${ED25519}\n`)
  })

  // With StrictModes, its default, sshd reads no keys that others than the user may write.
  it('get the owner and the modes that sshd asks for', async () => {
    const tree = bootableImage({ 'var/roothome/.ssh/authorized_keys': 'ssh-rsa old\n' })
    Object.assign(lookup(tree, 'var/roothome/.ssh')!, { mode: 0o777, uid: 5, gid: 5 })
    Object.assign(lookup(tree, 'var/roothome/.ssh/authorized_keys')!, { mode: 0o664, uid: 5, gid: 5 })
    await customizeAccounts(tree, { users: [{ name: 'root', key: ED25519 }], seed: '', mtime: MTIME })
    expect(stat(tree, 'root/.ssh')).toBe('directory 700 0:0 1750000000')
    expect(stat(tree, 'root/.ssh/authorized_keys')).toBe('file 600 0:0 1750000000')
  })

  it.each(['core:x::900::/home/core:', 'core:x:1e3:900::/home/core:', 'core:x:900:4294967296::/home/core:'])(
    'are refused with the ids of %j',
    async (entry) => {
      const files = { 'etc/passwd': `${entry}/bin/sh\n` }
      await expect(apply([{ name: 'core', key: ED25519 }], { files })).rejects.toMatchObject({
        code: 'ACCOUNTS_INVALID',
        details: { file: 'passwd', name: 'core' },
      })
    },
  )

  it('keep a password that stands in passwd when only the end of the account changes', async () => {
    const files = { 'etc/passwd': 'old:$6$s$h:900:900::/:/bin/sh\n' }
    const tree = await apply([{ name: 'old', expiredate: 20500 }], { files })
    expect(await line(tree, 'etc/shadow', 'old')).toBe('old:$6$s$h::::::20500:')
    expect(await line(tree, 'etc/passwd', 'old')).toBe('old:x:900:900::/:/bin/sh')
  })

  it('keep their uid and their groups', async () => {
    await expect(apply([{ name: 'root', uid: 5 }])).rejects.toMatchObject({ code: 'USER_INVALID' })
    const files = { 'etc/group': 'root:x:0:\nsudo:x:27:root\nweb:x:50:\n' }
    const tree = await apply([{ name: 'root', groups: ['web'] }], { files })
    expect(await textOf(tree, 'etc/group')).toBe('root:x:0:\nsudo:x:27:root\nweb:x:50:root\n')
  })

  it('are copied from the file of the image when they change', async () => {
    const files = { 'usr/lib/passwd': 'core:x:900:900:Core:/var/home/core:/bin/bash\n' }
    const tree = await apply([{ name: 'core', shell: '/bin/zsh', password: '$6$s$h' }], { files })
    expect(await line(tree, 'etc/passwd', 'core')).toBe('core:x:900:900:Core:/var/home/core:/bin/zsh')
    expect(await line(tree, 'etc/shadow', 'core')).toBe('core:$6$s$h:20254::::::')
  })

  it('leave the files alone when nothing changes', async () => {
    const tree = bootableImage()
    const before = lookup(tree, 'etc/passwd')
    await customizeAccounts(tree, { users: [{ name: 'root' }], seed: '', mtime: MTIME })
    expect(lookup(tree, 'etc/passwd')).toBe(before)
  })
})

describe('what cannot be', () => {
  it('a group that is missing names the administrators of the image', async () => {
    const failure = apply([{ name: 'anna', groups: ['wheel'] }])
    await expect(failure).rejects.toMatchObject({
      code: 'GROUP_MISSING',
      hint: 'the administrators of this image are the group sudo',
    })
    await apply([{ name: 'anna', groups: ['wheel'] }], { groups: [{ name: 'wheel' }] })
  })

  it.each([
    ['a group under a gid of another', [{ name: 'web', gid: 27 }]],
    ['a gid other than the one it has', [{ name: 'sudo', gid: 28 }]],
  ])('%s', async (_, groups) => {
    await expect(apply([], { groups })).rejects.toMatchObject({ code: 'GROUP_INVALID' })
  })

  it('a home on a file', async () => {
    await expect(apply([{ name: 'anna', home: '/etc/passwd' }])).rejects.toMatchObject({
      code: 'USER_INVALID',
    })
  })

  it.each([
    ['/home', { home: '->etc/passwd' }],
    ['/home', { home: '->../../nowhere/else' }],
  ])('a home below %s, which is no directory (%j)', async (_, files) => {
    await expect(apply([{ name: 'anna' }], { files })).rejects.toMatchObject({
      code: 'USER_INVALID',
      details: { user: 'anna', home: '/home/anna' },
    })
  })

  it('a group whose gid is none', async () => {
    const files = { 'etc/group': 'users:x:many:\n' }
    await expect(apply([], { files, groups: [{ name: 'users' }] })).rejects.toMatchObject({
      code: 'ACCOUNTS_INVALID',
    })
  })

  it('ids that no inode holds', async () => {
    const files = { 'etc/login.defs': 'UID_MIN 99999999999\nUID_MAX 999999999999\n' }
    const tree = await apply([{ name: 'anna' }], { files })
    expect(await line(tree, 'etc/passwd', 'anna')).toContain('anna:x:1000:')
  })

  it('no id left', async () => {
    const files = { 'etc/login.defs': 'UID_MIN 1000\nUID_MAX 1000\n' }
    await expect(apply([{ name: 'a' }, { name: 'b' }], { files })).rejects.toMatchObject({
      code: 'IDS_EXHAUSTED',
    })
  })
})

describe('keys', () => {
  it('takes options, comments and several lines', () => {
    const text = `\n# mine\n${ED25519}\r\nfrom="10.*",command="say \\"hi there\\"" ${ED25519}\n`
    expect(parseAuthorizedKeys(text, 'anna')).toHaveLength(3)
  })

  it.each([
    ['garbage', 'no type of key'],
    ['ssh-ed25519', 'missing'],
    ['ssh-ed25519 AAAA*', 'base64'],
    [ED25519.replace('ssh-ed25519', 'ssh-rsa'), 'damaged'],
    [ED25519.replace('4f ', ' '), 'base64'],
    [ED25519.replace('HR4f', ''), 'damaged'],
    [`ssh-dss ${btoa(`\0\x04\0\0${'a'.repeat(0x40000)}${'\0\0\0\0'.repeat(4)}`)}`, 'a key of the type'],
    ['-----BEGIN OPENSSH PRIVATE KEY-----', 'private key'],
  ])('refuses %j and names the user', (key, message) => {
    const text = `${ED25519}\n${key}`
    expect(() => parseAuthorizedKeys(text, 'anna')).toThrow(/^key of user anna, line 2: /)
    expect(() => parseAuthorizedKeys(text, 'anna')).toThrow(message)
  })
})

describe('any users', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/)
  const user = fc.record(
    { name, description: fc.stringMatching(/^[A-Za-z ]{0,10}$/), uid: fc.integer({ min: 0, max: 70000 }) },
    { requiredKeys: ['name'] },
  )
  const users = fc.uniqueArray(user, { selector: (value) => value.name, maxLength: 8 })

  it('leave files that parse, with ids of their own', async () => {
    await fc.assert(
      fc.asyncProperty(users, async (wanted) => {
        fc.pre(wanted.every((value) => !['root', 'sudo', 'shadow'].includes(value.name)))
        const tree = await apply(wanted)
        const counts = { passwd: 7, shadow: 9, group: 4, gshadow: 4, subuid: 3, subgid: 3 }
        for (const [file, count] of Object.entries(counts)) {
          const text = await textOf(tree, `etc/${file}`)
          const lines = text.split('\n').slice(0, -1)
          expect(lines.every((value) => value.split(':').length === count)).toBe(true)
          expect(new Set(lines.map((value) => value.split(':')[0])).size).toBe(lines.length)
        }
        const passwd = (await textOf(tree, 'etc/passwd')).split('\n').slice(0, -1)
        const given = new Set(wanted.flatMap((value) => value.uid ?? []))
        const chosen = passwd.map((value) => Number(value.split(':')[2])).filter((uid) => !given.has(uid))
        expect(new Set(chosen).size).toBe(chosen.length)
        const gids = (await textOf(tree, 'etc/group'))
          .split('\n')
          .slice(0, -1)
          .map((value) => value.split(':')[2])
        expect(new Set(gids).size).toBe(gids.length)
        const ranges = (await textOf(tree, 'etc/subuid'))
          .split('\n')
          .slice(0, -1)
          .map((value) => Number(value.split(':')[1]))
        expect(ranges).toEqual(ranges.map((_, index) => 100_000 + 65_536 * index))
      }),
      { numRuns: 40 },
    )
  })
})
