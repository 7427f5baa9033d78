import { BootableError } from '@bootable/bytes'
import { describe, expect, it } from 'vitest'
import type { BlueprintIssue } from '../src/index.ts'
import { loadBlueprint, parseBlueprint } from '../src/index.ts'
import { unheededCustomizations } from '../src/rules.ts'

function toml(text: string) {
  return loadBlueprint(text, { format: 'toml', name: 'config.toml' })
}

function json(value: unknown) {
  return loadBlueprint(typeof value === 'string' ? value : JSON.stringify(value), { format: 'json' })
}

/** The error of a call that must fail. */
function failure(call: () => unknown): BootableError & { details: { issues: BlueprintIssue[] } } {
  try {
    call()
  } catch (error) {
    expect(BootableError.is(error, 'BLUEPRINT_INVALID')).toBe(true)
    return error as BootableError & { details: { issues: BlueprintIssue[] } }
  }
  throw new Error('nothing was thrown')
}

describe('shapes', () => {
  const user = { name: 'anna', password: 'secret', key: 'ssh-rsa AAAAB3NzaC1yc2E= anna', groups: ['wheel'] }

  it('takes the wrapped JSON form and the plain one alike', () => {
    const wrapped = json({ blueprint: { customizations: { user: [user] } } })
    expect(wrapped.blueprint).toEqual({ customizations: { user: [user] } })
    expect(json({ customizations: { user: [user] } })).toEqual(wrapped)
    expect(wrapped.warnings).toEqual([])
  })

  it('refuses the wrapper in TOML and keys beside it', () => {
    expect(failure(() => toml('[[blueprint.customizations.user]]\nname = "a"')).message).toBe(
      'config.toml:1:3: blueprint is not a key of a blueprint',
    )
    expect(failure(() => json('{"blueprint": {},\n "name": "x"}')).message).toBe(
      'blueprint:2:2: name cannot stand beside "blueprint"',
    )
  })

  it('takes every customization in TOML', () => {
    const { blueprint, warnings } = toml(`
name = "machine"
version = "1.0"

[[customizations.user]]
name = "anna"
description = "Anna"
password = "$6$salt$hash"
home = "/home/anna/"
shell = "/bin/bash"
groups = ["sudo"]
uid = 1234
gid = 1234
expiredate = 20000
force_password_reset = true

[[customizations.group]]
name = "web"
gid = 700

[customizations.kernel]
append = "quiet nosmt"

[[customizations.filesystem]]
mountpoint = "/"
minsize = "20 GiB"

[[customizations.filesystem]]
mountpoint = "/var/data"
size = 1073741824

[[customizations.files]]
path = "/etc/motd"
mode = "0644"
user = "root"
group = 0
data = """
hello
"""

[[customizations.directories]]
path = "/etc/app/conf.d"
ensure_parents = true

[customizations.ignition.firstboot]
url = "https://example.org/config.ign"

[customizations.updates]
enabled = false
`)
    expect(warnings).toEqual([])
    expect(blueprint.customizations).toMatchObject({
      user: [{ name: 'anna', home: '/home/anna', uid: 1234, force_password_reset: true }],
      group: [{ name: 'web', gid: 700 }],
      kernel: { append: 'quiet nosmt' },
      filesystem: [
        { mountpoint: '/', minsize: 20 * 1024 ** 3 },
        { mountpoint: '/var/data', minsize: 1024 ** 3 },
      ],
      files: [{ path: '/etc/motd', data: 'hello\n', group: 0 }],
      directories: [{ path: '/etc/app/conf.d', ensure_parents: true }],
      updates: { enabled: false },
    })
    expect(blueprint.name).toBe('machine')
    expect(unheededCustomizations(blueprint, 'disk')).toEqual([])
    expect(unheededCustomizations(blueprint, 'iso').map(({ key }) => key)).toContain('customizations.files')
  })

  it('is as good for a value that a program made', () => {
    expect(
      parseBlueprint({ customizations: { filesystem: [{ mountpoint: '/', minsize: '1 kB' }] } }).blueprint,
    ).toEqual({
      customizations: { filesystem: [{ mountpoint: '/', minsize: 1000 }] },
    })
    expect(failure(() => parseBlueprint({ customizations: 1 })).message).toBe(
      'blueprint: customizations must be a table',
    )
    expect(parseBlueprint({}).blueprint).toEqual({ customizations: {} })
  })

  it('takes only the result of its own as it is', () => {
    const { blueprint } = toml('[[customizations.filesystem]]\nmountpoint = "/"\nminsize = "3 GiB"')
    expect(parseBlueprint(blueprint).blueprint).toEqual(blueprint)
  })
})

describe('terminals of GRUB', () => {
  const grub2 = {
    terminal_input: ['serial', 'console'],
    terminal_output: ['gfxterm'],
    serial: 'serial --unit=0 --speed=115200',
  }

  it('are what osbuild writes', () => {
    const { blueprint, warnings } = json({ customizations: { bootloader: { grub2 } } })
    expect(warnings).toEqual([])
    expect(blueprint.customizations).toEqual({ bootloader: { grub2 } })
    expect(unheededCustomizations(blueprint, 'disk')).toEqual([])
    expect(unheededCustomizations(blueprint, 'iso')).toMatchObject([{ key: 'customizations.bootloader' }])
  })

  it.each([
    [{ serial: 'serial; reboot' }, 'serial must be GRUB'],
    [{ serial: 'reboot' }, 'serial must be GRUB'],
    [{ terminal_input: ['serial console'] }, 'terminal_input[0] must be the name of a terminal'],
    [{ timeout: 5 }, 'timeout is not a key'],
  ])('refuses %j', (part, message) => {
    const text = { customizations: { bootloader: { grub2: part } } }
    expect(failure(() => json(text)).message).toContain(message)
  })
})

describe('updates', () => {
  it.each([[{}], [{ enabled: true }], [{ enabled: false }]])('takes %j', (updates) => {
    expect(json({ customizations: { updates } }).blueprint.customizations).toEqual({ updates })
  })

  it('says where a mistake stands, in either format', () => {
    const text = '[customizations.updates]\nenabled = "no"\nwhen = "never"\n'
    expect(failure(() => toml(text)).message).toBe(
      '2 mistakes in config.toml\n' +
        '  config.toml:2:1: customizations.updates.enabled must be true or false\n' +
        '  config.toml:3:1: customizations.updates.when is not a key of a blueprint',
    )
    expect(failure(() => json('{"customizations":{"updates":true}}')).message).toMatch(
      /customizations\.updates must be a table/,
    )
  })

  it('mean nothing to installers', () => {
    const { blueprint } = json({ customizations: { updates: { enabled: true } } })
    expect(unheededCustomizations(blueprint, 'disk')).toEqual([])
    expect(unheededCustomizations(blueprint, 'iso')).toMatchObject([{ key: 'customizations.updates' }])
  })
})

describe('users', () => {
  it.each(['-x', 'a b', 'a:b', '', '..', 'x'.repeat(33)])('refuses the name %j', (name) => {
    expect(failure(() => json({ customizations: { user: [{ name }] } })).message).toContain(
      'customizations.user[0].name must',
    )
  })

  it('merges legacy keys', () => {
    const { blueprint } = json({
      customizations: {
        user: [{ name: 'a', key: 'one\n' }, { name: 'b' }],
        sshkey: [
          { user: 'a', key: 'two' },
          { user: 'c', key: 'three' },
        ],
      },
    })
    expect(blueprint.customizations.user).toEqual([
      { name: 'a', key: 'one\ntwo' },
      { name: 'b' },
      { name: 'c', key: 'three' },
    ])
  })

  it('refuses what would break out of a line of passwd', () => {
    const users = [
      { name: 'a', description: 'x:0:0' },
      { name: 'b', shell: '/bin/sh\nroot::0:0' },
    ]
    const { details } = failure(() => json({ customizations: { user: users } }))
    expect(details.issues.map(({ path }) => path.join('.'))).toEqual([
      'customizations.user.0.description',
      'customizations.user.1.shell',
    ])
  })

  it('refuses users, groups and group ids that stand twice', () => {
    const { details } = failure(() =>
      json({
        customizations: {
          user: [{ name: 'a' }, { name: 'a' }],
          group: [{ name: 'g', gid: 5 }, { name: 'h', gid: 5 }, { name: 'g' }],
        },
      }),
    )
    expect(details.issues).toHaveLength(3)
  })
})

describe('unknown and unsupported keys', () => {
  it('names unknown keys with their place', () => {
    const error = failure(() =>
      toml('[customizations]\nhostnam = "x"\n[[customizations.user]]\nname = "a"\nkeys = 1'),
    )
    expect(error.message).toBe(
      '2 mistakes in config.toml\n' +
        '  config.toml:2:1: customizations.hostnam is not a key of a blueprint\n' +
        '  config.toml:5:1: customizations.user[0].keys is not a key of a blueprint',
    )
  })

  it('warns about the keys that mean nothing here', () => {
    const { warnings, blueprint } = toml(
      'distro = "f"\n[[packages]]\nname = "vim"\n[customizations]\nhostname = "x"\nkernel.name = "rt"\n',
    )
    expect(warnings.map(({ key, line }) => `${line} ${key}`).sort()).toEqual([
      '1 distro',
      '2 packages',
      '5 customizations.hostname',
      '6 customizations.kernel.name',
    ])
    expect(blueprint).toEqual({ customizations: { kernel: {} } })
  })

  it('lets unknown keys inside the disk of JSON pass with a warning, and only there', () => {
    const disk = { partitions: [{ fs_type: 'ext4', mountpoint: '/', minsize: 1, colour: 'red' }], x: 1 }
    const { warnings, blueprint } = json({ customizations: { disk } })
    expect(warnings.map(({ key }) => key).sort()).toEqual([
      'customizations.disk.partitions[0].colour',
      'customizations.disk.x',
    ])
    expect(blueprint.customizations.disk?.partitions).toEqual([
      { fs_type: 'ext4', mountpoint: '/', minsize: 1 },
    ])
    failure(() => toml('[customizations.disk]\nx = 1'))
    const misspelt = [{ encrytion: { passphrase: 'x' } }, { luks: {} }, { encryption: { pbkd: 'x' } }]
    for (const key of misspelt) {
      const partitions = [{ fs_type: 'ext4', mountpoint: '/', minsize: 1, ...key }]
      failure(() => json({ customizations: { disk: { partitions } } }))
    }
    failure(() => json({ customizations: { disk, y: 1 } }))
  })
})

describe('filesystem and files', () => {
  it.each(['/', '/boot', '/var/data', '/var/lib/containers', '/var/homes'])(
    'allows a filesystem at %s',
    (mountpoint) => {
      json({ customizations: { filesystem: [{ mountpoint, minsize: 1 }] } })
    },
  )

  it.each([
    '/var',
    '/var/home',
    '/var/home/anna',
    '/var/run/x/y',
    '/usr',
    '/boot/efi',
    '/var/data/',
    'var/data',
    '/var/../usr',
    '/var/a\nOptions=exec',
  ])('allows none at %j', (mountpoint) => {
    failure(() => json({ customizations: { filesystem: [{ mountpoint, minsize: 1 }] } }))
  })

  it('knows the alias size in TOML only, and not both', () => {
    const both = failure(() => toml('[[customizations.filesystem]]\nmountpoint = "/"\nminsize = 1\nsize = 2'))
    expect(both.message).toContain('config.toml:4:1: customizations.filesystem[0].size is another word')
    failure(() => json({ customizations: { filesystem: [{ mountpoint: '/', size: 2 }] } }))
  })

  it.each([-1, 1.5, true, '10 parsecs', 'GiB', '99999999999 TiB'])('refuses the size %j', (minsize) => {
    failure(() => json({ customizations: { filesystem: [{ mountpoint: '/', minsize }] } }))
  })

  it.each(['/etc/passwd', '/etc/fstab', '/usr/bin/x', '/etc/../usr/x', '/etc', '/etc/x/', 'etc/x'])(
    'writes no file at %s',
    (path) => {
      failure(() => json({ customizations: { files: [{ path, data: '' }] } }))
    },
  )

  it('takes no url for Ignition that would be two words of the kernel command line', () => {
    const ignition = (url: string) => json({ customizations: { ignition: { firstboot: { url } } } })
    ignition('https://example.org/a%20b.ign')
    failure(() => ignition('https://example.org/a b.ign'))
    failure(() => ignition('https://example.org/"a.ign'))
  })

  it('says what to do instead of a uri', () => {
    const error = failure(() => json({ customizations: { files: [{ path: '/etc/x', uri: 'file:///x' }] } }))
    expect(error.message).toContain('put the content under "data"')
  })
})

describe('disk', () => {
  const root = { fs_type: 'ext4', mountpoint: '/', minsize: '2 GiB' }
  const swap = { fs_type: 'swap', minsize: 1 }
  const UUID = '0FC63DAF-8483-4772-8E79-3D69D8477DE4'
  const messages = (disk: unknown) =>
    failure(() => json({ customizations: { disk } })).details.issues.map(({ message }) => message)

  it('takes plain, lvm and btrfs', () => {
    const { blueprint } = json({
      customizations: {
        disk: {
          type: 'gpt',
          minsize: '10 GiB',
          sector_size: 4096,
          partitions: [
            { ...root, label: 'root', part_type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', part_label: 'root' },
            { minsize: 1, fs_type: 'swap' },
            {
              type: 'lvm',
              minsize: 1,
              logical_volumes: [{ minsize: 1, fs_type: 'xfs', mountpoint: '/var/a' }],
            },
          ],
        },
      },
    })
    expect(blueprint.customizations.disk?.minsize).toBe(10 * 1024 ** 3)
    json({
      customizations: {
        disk: {
          partitions: [{ type: 'btrfs', minsize: 1, subvolumes: [{ name: 'root', mountpoint: '/' }] }],
        },
      },
    })
  })

  it.each([
    ['no fs_type', [{ mountpoint: '/', minsize: 1 }], 'one of ext4'],
    ['swap that is mounted', [{ fs_type: 'swap', mountpoint: '/x', minsize: 1 }], 'not mounted'],
    ['xfs that is not', [{ fs_type: 'xfs', minsize: 1 }], 'needs a mountpoint'],
    ['vfat /boot', [{ fs_type: 'vfat', mountpoint: '/boot', minsize: 1 }], '/boot must be'],
    ['ext4 ESP', [{ fs_type: 'ext4', mountpoint: '/boot/efi', minsize: 1 }], 'must be vfat'],
    ['no size', [{ fs_type: 'ext4', mountpoint: '/' }], 'a number of bytes'],
    ['one mount point twice', [root, root], 'stands here twice'],
    ['an unknown type', [{ ...root, type: 'zfs' }], 'one of plain, lvm, btrfs'],
    ['a part_type of another table', [{ ...root, part_type: '83' }], 'must be a GUID'],
    ['a label too long', [{ ...root, part_label: 'x'.repeat(37) }], '36'],
    [
      'two volume groups',
      [
        { type: 'lvm', minsize: 1, logical_volumes: [] },
        { type: 'lvm', minsize: 1, logical_volumes: [] },
      ],
      'more than one volume group',
    ],
    [
      'lvm beside btrfs',
      [
        { type: 'lvm', minsize: 1, logical_volumes: [] },
        { type: 'btrfs', minsize: 1, subvolumes: [] },
      ],
      'cannot be on one disk',
    ],
    [
      '/boot on a volume group',
      [{ type: 'lvm', minsize: 1, logical_volumes: [{ fs_type: 'ext4', mountpoint: '/boot', minsize: 1 }] }],
      'cannot be on a logical volume',
    ],
    ['a mount point of the kernel', [{ ...root, mountpoint: '/sys/a' }], "/sys is the system's own"],
    ['a root that is vfat', [{ ...root, fs_type: 'vfat' }], '/ cannot be vfat'],
    ['a label that is too long', [{ ...root, fs_type: 'xfs', label: 'thirteen byte' }], '12 at most'],
    ['a label that is no name', [{ ...root, label: 'a/b' }], 'must not hold slashes'],
    ['a vfat label', [{ fs_type: 'vfat', mountpoint: '/a', minsize: 1, label: 'a*b' }], 'must be ASCII'],
    [
      'a uuid twice',
      [
        { ...root, part_uuid: UUID },
        { ...swap, part_uuid: UUID },
      ],
      'this uuid stands',
    ],
    [
      'a name of lvm',
      [{ type: 'lvm', name: 'snapshot', minsize: 1, logical_volumes: [] }],
      'keeps for itself',
    ],
    [
      'a subvolume above',
      [{ type: 'btrfs', minsize: 1, subvolumes: [{ name: 'a/../b', mountpoint: '/' }] }],
      '..',
    ],
    [
      'an encrypted /boot',
      [{ fs_type: 'ext4', mountpoint: '/boot', minsize: 1, encryption: {} }],
      '/boot cannot be encrypted',
    ],
    [
      'an encrypted /boot on btrfs',
      [{ type: 'btrfs', minsize: 1, encryption: {}, subvolumes: [{ name: 'b', mountpoint: '/boot' }] }],
      '/boot cannot be encrypted',
    ],
    [
      'encryption twice',
      [
        {
          ...{ type: 'lvm', minsize: 1, encryption: {} },
          logical_volumes: [{ ...swap, encryption: {} }],
        },
      ],
      'is one too many',
    ],
    ['an empty passphrase', [{ ...root, encryption: { passphrase: '' } }], 'must not be empty'],
    ['a passphrase of two lines', [{ ...root, encryption: { passphrase: 'a\nb' } }], 'must be one line'],
    ['another cipher', [{ ...root, encryption: { cipher: 'null' } }], 'aes-xts-plain64'],
    ['another way to a key', [{ ...root, encryption: { pbkdf: 'md5' } }], 'argon2id or pbkdf2'],
  ])('refuses %s', (_, partitions, expected) => {
    expect(messages({ partitions }).join('\n')).toContain(expected)
  })

  it('takes encryption of partitions and of logical volumes', () => {
    const encryption = { passphrase: 'x', pbkdf: 'pbkdf2', label: 'root', sector_size: 4096 }
    const partitions = [
      { ...root, minsize: 1, encryption },
      { ...swap, encryption: {} },
      { type: 'lvm', minsize: 1, logical_volumes: [{ ...swap, encryption }] },
    ]
    const { blueprint, warnings } = json({ customizations: { disk: { partitions } } })
    expect(blueprint.customizations.disk?.partitions).toEqual(partitions)
    expect(warnings).toEqual([])
  })

  it('tells of everything at once, with places', () => {
    const error = failure(() =>
      toml(`
[[customizations.disk.partitions]]
fs_type = "ext4"
mountpoint = "/proc"
minsize = 1
[[customizations.disk.partitions]]
fs_type = "btrfs"
minsize = "much"
`),
    )
    expect(error.message).toBe(`3 mistakes in config.toml
  config.toml:4:1: customizations.disk.partitions[0].mountpoint nothing can be mounted at /proc: /proc is the system's own
  config.toml:7:1: customizations.disk.partitions[1].fs_type must be one of ext4, xfs, vfat, swap, none
  config.toml:8:1: customizations.disk.partitions[1].minsize must be a number of bytes, or a text such as "10 GiB" (kB, KiB, MB, MiB, GB, GiB, TB, TiB)`)
  })

  it('knows what a dos table cannot hold', () => {
    expect(
      messages({ type: 'dos', partitions: [{ ...root, part_uuid: '0FC63DAF-8483-4772-8E79-3D69D8477DE4' }] }),
    ).toEqual(['does not exist on a dos table'])
    expect(
      messages({ type: 'dos', partitions: Array(5).fill({ minsize: 1, fs_type: 'swap' }) })[0],
    ).toContain('holds 4')
  })

  it('does not stand beside filesystem', () => {
    const filesystem = [{ mountpoint: '/', minsize: 1 }]
    failure(() => json({ customizations: { disk: { partitions: [root] }, filesystem } }))
  })
})

describe('installer', () => {
  it('gives the kickstart the last word', () => {
    const error = failure(() =>
      json({
        customizations: {
          user: [{ name: 'a' }],
          installer: { unattended: true, kickstart: { contents: '' } },
        },
      }),
    )
    expect(error.details.issues).toHaveLength(2)
  })
})
