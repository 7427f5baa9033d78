import { BootableError } from '@bootable/bytes'
import { describe, expect, it } from 'vitest'
import type { BlueprintIssue, EmbeddedDisk } from '../src/index.ts'
import { loadEmbeddedCustomizations, loadEmbeddedDisk } from '../src/index.ts'

const BIOS_BOOT = '21686148-6449-6E6F-744E-656564454649'
const ESP = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B'

function issues(call: () => unknown): string[] {
  try {
    call()
  } catch (error) {
    if (!BootableError.is(error, 'BLUEPRINT_INVALID')) throw error
    const found = error.details.issues as BlueprintIssue[]
    return found.map(({ path, message }) => `${path.join('.')}: ${message}`)
  }
  throw new Error('nothing was thrown')
}

/** A table in the short form of YAML that is JSON. */
function load(table: unknown): EmbeddedDisk {
  return loadEmbeddedDisk(JSON.stringify({ partition_table: table }))
}

function wrong(...partitions: readonly object[]): string[] {
  return issues(() => load({ type: 'gpt', partitions }))
}

const root = { size: 1024, payload_type: 'filesystem', payload: { type: 'ext4', mountpoint: '/' } }

describe('documents as image-builder reads them', () => {
  it('takes anchors, sizes of every spelling and keys that only hold anchors', () => {
    const { mount_configuration, partition_table } = loadEmbeddedDisk(`
guids:
  - &bios_boot_partition_guid "${BIOS_BOOT}"
  - &efi_system_partition_guid "${ESP}"
.common:
  root: &root
    size: "2 GiB"
    payload_type: "filesystem"
    payload: &fs
      type: ext4
      label: root
      mountpoint: "/"
      fstab_options: "defaults"
mount_configuration: fstab
partition_table:
  uuid: "D209C89E-EA5E-4FBD-B161-B461CCE297E0"
  type: "gpt"
  start_offset: "8 MiB"
  partitions:
    - size: 1_048_576  # 1 MiB
      bootable: true
      type: *bios_boot_partition_guid
    - size: 209_715_200
      type: *efi_system_partition_guid
      payload_type: "filesystem"
      payload: {type: vfat, uuid: 7B77-95E7, mountpoint: /boot/efi, label: ESP, fstab_passno: 2}
    - <<: *root
      size: 3 GiB
`)
    expect(mount_configuration).toBe('fstab')
    expect(partition_table).toEqual({
      uuid: 'D209C89E-EA5E-4FBD-B161-B461CCE297E0',
      type: 'gpt',
      start_offset: 8_388_608,
      partitions: [
        { size: 1_048_576, bootable: true, type: BIOS_BOOT },
        {
          size: 209_715_200,
          type: ESP,
          payload_type: 'filesystem',
          payload: {
            type: 'vfat',
            uuid: '7B77-95E7',
            mountpoint: '/boot/efi',
            label: 'ESP',
            fstab_passno: 2,
          },
        },
        {
          size: 3 * 1024 ** 3,
          payload_type: 'filesystem',
          payload: { type: 'ext4', label: 'root', mountpoint: '/', fstab_options: 'defaults' },
        },
      ],
    })
  })

  it('takes every key', () => {
    const table = {
      size: '20 GiB',
      uuid: 'D209C89E-EA5E-4FBD-B161-B461CCE297E0',
      type: 'gpt',
      grain_size: '4 MiB',
      sector_size: 4096,
      extra_padding: 8,
      start_offset: 0,
      absolute_start_offset: true,
      align_footer: true,
      policy: { ensure_xbootldr: false, grow_root_to_fill_disk: false },
      partitions: [
        {
          size: 1,
          start: '1 MiB',
          label: 'fw',
          attrs: [0, 59],
          payload_type: 'raw',
          payload: { source_path: '/u-boot' },
        },
        { size: 1, payload_type: 'no-payload' },
        {
          size: 1,
          payload_type: 'swap',
          payload: { label: 'swap', fstab_options: 'defaults', fstab_freq: 0 },
        },
        {
          size: 1,
          payload_type: 'btrfs',
          payload: {
            label: 'pool',
            mountpoint: '/var/pool',
            subvolumes: [
              {
                name: 'data/a',
                size: '1 GiB',
                mountpoint: '/var/a',
                group_id: 0,
                compress: 'zstd:1',
                read_only: true,
              },
            ],
          },
        },
        {
          size: 1,
          payload_type: 'luks',
          payload: {
            passphrase: 'osbuild',
            cipher: 'aes-xts-plain64',
            label: 'crypt_root',
            subsystem: 'root',
            sector_size: 4096,
            pbkdf: { iterations: 4, memory: 32, parallelism: 1 },
            payload_type: 'lvm',
            payload: {
              name: 'rootvg',
              description: 'built with bootable',
              logical_volumes: [
                {
                  name: 'rootlv',
                  size: 123_456_789,
                  payload_type: 'filesystem',
                  payload: { type: 'xfs', mountpoint: '/', mkfs_options: { agcount: 4 } },
                },
              ],
            },
          },
        },
      ],
    }
    const loaded = load(table).partition_table
    expect(loaded).toEqual({
      ...table,
      size: 20 * 1024 ** 3,
      grain_size: 4 * 1024 ** 2,
      partitions: [
        { ...table.partitions[0], start: 1024 ** 2 },
        ...table.partitions.slice(1, 3),
        {
          ...table.partitions[3],
          payload: {
            ...table.partitions[3]?.payload,
            subvolumes: [
              {
                name: 'data/a',
                size: 1024 ** 3,
                mountpoint: '/var/a',
                group_id: 0,
                compress: 'zstd:1',
                read_only: true,
              },
            ],
          },
        },
        table.partitions[4],
      ],
    })
  })

  it('takes an empty document for nothing', () => {
    expect(loadEmbeddedDisk('# nothing\n')).toEqual({})
  })
})

describe('mistakes', () => {
  it('names unknown keys with their places', () => {
    const text = 'partition_table:\n  type: gpt\n  parts: []\n  partitions:\n    - size: 1\n      tpye: x\n'
    expect(() => loadEmbeddedDisk(text, { name: '/usr/lib/x/disk.yaml' })).toThrow(
      [
        '3 mistakes in /usr/lib/x/disk.yaml',
        '  /usr/lib/x/disk.yaml:3:3: partition_table.parts is not a key of disk.yaml',
        '  /usr/lib/x/disk.yaml:4:3: partition_table.partitions none of them is mounted at /',
        '  /usr/lib/x/disk.yaml:6:7: partition_table.partitions[0].tpye is not a key of disk.yaml',
      ].join('\n'),
    )
    expect(issues(() => loadEmbeddedDisk('partitions: []\n'))).toEqual([
      'partitions: is not a key of disk.yaml',
    ])
  })

  it('tells of all of them at once', () => {
    expect(
      wrong(
        {
          size: 1,
          type: 'xyz',
          payload_type: 'filesystem',
          payload: { type: 'ext4', mountpoint: '/proc/x' },
        },
        {
          size: 1,
          payload_type: 'filesystem',
          payload: { type: 'xfs', label: 'far too long a label', mountpoint: '/a' },
        },
        { size: 1, payload_type: 'filesystem', payload: { type: 'vfat', uuid: 'no', mountpoint: '/a' } },
        { size: 1, payload_type: 'filesystem', payload: { type: 'btrfs', mountpoint: '/boot' } },
        { size: 1, payload_type: 'filesystem', payload: { type: 'ext4', mkfs_options: { agcount: 2 } } },
      ),
    ).toEqual([
      'partition_table.partitions: none of them is mounted at /',
      'partition_table.partitions.0.type: must be a GUID on a gpt',
      "partition_table.partitions.0.payload.mountpoint: nothing can be mounted at /proc/x: /proc is the system's own",
      'partition_table.partitions.1.payload.label: has 20 bytes; a label of xfs has 12 at most',
      'partition_table.partitions.2.payload.uuid: must be XXXX-XXXX for vfat',
      'partition_table.partitions.2.payload.mountpoint: this mount point stands here twice: /a',
      'partition_table.partitions.3.payload.type: /boot must be ext4 or xfs',
      'partition_table.partitions.4.payload.mkfs_options.agcount: belongs to xfs',
    ])
  })

  it('tells of rules that are broken beside what has no shape', () => {
    const text = `partition_table:
  type: gpt
  partitions:
    - {size: much, payload_type: filesystem, payload: {type: ext4, mountpoint: /}}
    - {size: 1, payload_type: filesystem, payload: {type: vfat, mountpoint: /boot}}
`
    expect(issues(() => loadEmbeddedDisk(text))).toEqual([
      'partition_table.partitions.0.size: must be a number of bytes, or a text such as "10 GiB" (kB, KiB, MB, MiB, GB, GiB, TB, TiB)',
      'partition_table.partitions.1.payload.type: /boot must be ext4 or xfs',
    ])
  })

  it.each([
    [
      'boot on a logical volume',
      { payload_type: 'lvm', payload: { logical_volumes: [{ size: 1, ...inside('/boot') }] } },
      '/boot cannot be on a logical volume',
    ],
    [
      'an encrypted boot',
      { payload_type: 'luks', payload: inside('/boot') },
      '/boot cannot be encrypted: the boot loader has to read it',
    ],
    [
      'encryption within encryption',
      { payload_type: 'luks', payload: { payload_type: 'luks', payload: inside('/a') } },
      'must be one of filesystem, swap, btrfs, lvm',
    ],
    [
      'clevis',
      { payload_type: 'luks', payload: { clevis: { pin: 'tpm2' }, ...inside('/a') } },
      'is not supported: bind the volume on the running machine (clevis luks bind)',
    ],
    ['a payload without a type', { payload: {} }, 'needs a payload_type'],
    ['a raw payload without a file', { payload_type: 'raw', payload: {} }, 'is missing'],
    [
      'a subvolume with a comma',
      { payload_type: 'btrfs', payload: { subvolumes: [{ name: 'a,b' }] } },
      'must be a path without a leading slash, blanks, commas, quotes and backslashes',
    ],
    [
      'a reserved name of lvm',
      { payload_type: 'lvm', payload: { name: 'pvmove0' } },
      'is a name that lvm keeps for itself',
    ],
    [
      'a logical volume with the beginning of a reserved name',
      { payload_type: 'lvm', payload: { logical_volumes: [{ name: 'snapshots', size: 1 }] } },
      'is a name that lvm keeps for itself',
    ],
  ] as const)('refuses %s', (_, partition, message) => {
    expect(wrong(root, { size: 1, ...partition }).map((text) => text.replace(/^[^:]*: /, ''))).toContain(
      message,
    )
  })

  it('knows what a dos table has not', () => {
    const partitions = Array.from({ length: 5 }, () => ({
      size: 1,
      uuid: 'D209C89E-EA5E-4FBD-B161-B461CCE297E0',
      type: '83',
    }))
    const found = issues(() => load({ type: 'dos', uuid: '0x14fc63d2', partitions }))
    expect(found).toContain('partition_table.partitions: a dos table holds 4 partitions, these are 5')
    expect(found).toContain('partition_table.partitions.0.uuid: does not exist on a dos table')
  })
})

function inside(mountpoint: string) {
  return { payload_type: 'filesystem', payload: { type: 'ext4', mountpoint } } as const
}

describe('hostile documents', () => {
  it.each([
    [
      'aliases that double',
      [
        'a0: &a0 [x, x]',
        ...Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`),
      ].join('\n'),
      'more than 10000 values',
    ],
    ['an alias inside of itself', 'a: &a [*a]\n', 'deeper than 64 levels'],
    ['deep nesting', '['.repeat(30_000), ''],
    ['many keys', Array.from({ length: 9000 }, (_, i) => `k${i}:`).join('\n'), ''],
    ['a long document', ' '.repeat(65_537), 'longer than 65536 characters'],
    ['an alias to nothing', 'a: *b\n', ''],
    ['a key twice', 'partition_table: {type: gpt, type: gpt}\n', 'the key "type" stands twice in this map'],
    ['two documents', 'a: 1\n---\nb: 2\n', ''],
    ['a map as a key', '? {a: 1}\n: 2\n', 'a key must be text'],
    ['a merge of text', 'partition_table: {<<: x}\n', 'a merge key needs a map'],
  ])('refuses %s', (_, text, message) => {
    const start = performance.now()
    expect(issues(() => loadEmbeddedDisk(text)).join('\n')).toContain(message)
    expect(performance.now() - start).toBeLessThan(4000)
  })

  it('has no prototype to reach', () => {
    expect(issues(() => loadEmbeddedDisk('__proto__: {type: gpt}\n'))).toEqual([
      '__proto__: is not a key of disk.yaml',
    ])
  })
})

it('takes filesystem and disk alone of a blueprint that an image brings', () => {
  const text =
    '[[customizations.filesystem]]\nmountpoint = "/"\nminsize = 1\n[[customizations.user]]\nname = "a"\n'
  expect(loadEmbeddedCustomizations(text, { format: 'toml' })).toEqual({
    filesystem: [{ mountpoint: '/', minsize: 1 }],
  })
})
