import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Attempts, expectFailure, prepareAttempts } from '../../tooling/attempts.ts'
import type { CommandResult } from '../../tooling/command.ts'
import { type HandMadeMember, MINIMAL_MACHINE, tarOf, xattrHeader } from '../../tooling/images.ts'

let attempts: Attempts
beforeAll(async () => {
  attempts = await prepareAttempts()
})
afterAll(() => attempts.command.close())

const machine = { tar: tarOf(MINIMAL_MACHINE) }

/** Builds the minimal machine, with one more layer if there is something for it, and customizations. */
function build(
  customizations: object,
  { flags = [], members = [] }: { flags?: readonly string[]; members?: readonly HandMadeMember[] } = {},
): Promise<CommandResult> {
  const layers = members.length > 0 ? [machine, { tar: tarOf(members) }] : [machine]
  return attempts.attempt({ layers }, [...flags, '--config', '-'], JSON.stringify({ customizations }))
}

/** Builds with a table of partitions of 400 MiB. */
function buildTable(
  partitions: readonly object[],
  { members = [], ...disk }: { readonly members?: readonly HandMadeMember[]; readonly type?: string } = {},
): Promise<CommandResult> {
  const sized = partitions.map((partition) => ({ minsize: '400 MiB', ...partition }))
  return build({ disk: { ...disk, partitions: sized } }, { flags: ['--rootfs', 'ext4'], members })
}

/** Expects every one of these partitions to be named. */
function expectPlaces({ stderr }: CommandResult, places: readonly number[]): void {
  const named = [...stderr.matchAll(/partitions\[(\d+)\]/g)].map(([, place]) => Number(place))
  expect([...new Set(named)].sort(), stderr).toEqual(places)
}

const ROOT = { mountpoint: '/', fs_type: 'ext4' }

describe('a table of partitions', () => {
  it('is written when nothing is wrong with it', async () => {
    const data = { mountpoint: '/var/data', fs_type: 'xfs', label: 'data' }
    const result = await buildTable([ROOT, data, { fs_type: 'swap' }])
    expect(result.status, result.stderr).toBe(0)
  })

  it('has values that are none, and each is named', async () => {
    const result = await buildTable([
      { mountpoint: 'var/a', fs_type: 'ext4' },
      { mountpoint: '/var/b', fs_type: 'ntfs' },
      { mountpoint: '/var/c', fs_type: 'ext4', minsize: 'much' },
      { mountpoint: '/var/e', fs_type: 'ext4', encryption: { passphrase: 'x', pbkdf: 'rot13' } },
      { type: 'raid', mountpoint: '/var/f' },
    ])
    expectFailure(result, /mistakes in standard input/)
    expectPlaces(result, [0, 1, 2, 3, 4])
  })

  it('breaks many rules, and each is named', async () => {
    const result = await buildTable([
      { mountpoint: '/var/a', fs_type: 'ext4' },
      { mountpoint: '/var/a', fs_type: 'xfs' },
      { mountpoint: '/proc/a', fs_type: 'ext4' },
      { mountpoint: '/var/b', fs_type: 'swap' },
      { mountpoint: '/boot', fs_type: 'vfat' },
      { mountpoint: '/boot/efi', fs_type: 'ext4' },
      { mountpoint: '/var/c', fs_type: 'xfs', label: 'far too long a label' },
      { mountpoint: '/var/d', fs_type: 'ext4', part_type: '83' },
    ])
    expectFailure(result, /mistakes in standard input/)
    expectPlaces(result, [1, 2, 3, 4, 5, 6, 7])
  })

  it('has names twice, in a volume group and on btrfs', async () => {
    const volume = (name: string, mountpoint: string): object => ({
      ...{ name, mountpoint, fs_type: 'ext4', minsize: '64 MiB' },
    })
    const volumes = [volume('a', '/var/a'), volume('a', '/var/b')]
    expectFailure(await buildTable([ROOT, { type: 'lvm', logical_volumes: volumes }]), /name.*twice.*a/s)
    const subvolumes = [
      { name: 'a', mountpoint: '/var/a' },
      { name: 'a', mountpoint: '/var/b' },
    ]
    expectFailure(await buildTable([ROOT, { type: 'btrfs', subvolumes }]), /name.*twice.*a/s)
  })

  it('combines what does not go together', async () => {
    const lvm = { type: 'lvm', logical_volumes: [{ ...ROOT, minsize: '400 MiB' }] }
    const btrfs = { type: 'btrfs', subvolumes: [{ name: 'a', mountpoint: '/var/a' }] }
    expectFailure(await buildTable([lvm, btrfs]), /lvm and btrfs/)
    const encryption = { passphrase: 'secret' }
    expectFailure(
      await buildTable([ROOT, { mountpoint: '/boot', fs_type: 'ext4', encryption }]),
      /\/boot .*encrypted/,
    )
    const filesystem = [{ mountpoint: '/', minsize: '1 GiB' }]
    expectFailure(
      await build({ filesystem, disk: { partitions: [] } }),
      /filesystem[\s\S]*disk|disk[\s\S]*filesystem/,
    )
    const data = [{ mountpoint: '/var/data', minsize: '1 GiB' }]
    expectFailure(await build({ filesystem: data }, { flags: ['--rootfs', 'btrfs'] }), /\/var\/data.*btrfs/s)
  })

  it('is a dos table that cannot hold it', async () => {
    const five = [1, 2, 3, 4, 5].map((index) => ({ mountpoint: `/var/${index}`, fs_type: 'ext4' }))
    expectFailure(await buildTable(five, { type: 'dos' }), /dos table holds 4 partitions, these are 5/)
    const uuid = { part_uuid: '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10' }
    expectFailure(await buildTable([{ ...ROOT, ...uuid }], { type: 'dos' }), /part_uuid.*dos/)
    expectFailure(await buildTable([{ ...ROOT, minsize: '3 TiB' }], { type: 'dos' }), /dos|2 TiB/)
  })

  it('needs more than the disk may have', async () => {
    const flags = ['--size', '1 GiB']
    const partitions = [
      { ...ROOT, minsize: '700 MiB' },
      { mountpoint: '/var/a', fs_type: 'xfs', minsize: '700 MiB' },
    ]
    expectFailure(await build({ disk: { partitions } }, { flags }), /needs \d+ bytes[\s\S]*1073741824 bytes/)
  })

  it('asks for encryption without a passphrase', async () => {
    expectFailure(await buildTable([{ ...ROOT, encryption: {} }]), /passphrase/)
  })
})

describe('a tree that a filesystem cannot hold', () => {
  it('has names, links and owners that FAT has not', async () => {
    const members: HandMadeMember[] = [
      { name: 'var/fat/a:b', data: 'x' },
      { name: 'var/fat/link', type: 'symlink', target: 'a' },
    ]
    const result = await buildTable([ROOT, { mountpoint: '/var/fat', fs_type: 'vfat' }], { members })
    expectFailure(result, /a:b|link/)
  })

  it.each([
    ['ext4', 5_000],
    ['btrfs', 20_000],
  ])('has an attribute that %s has no room for', async (rootfs, length) => {
    const members = [xattrHeader('user.large', 'x'.repeat(length)), { name: 'usr/share/labelled', data: 'x' }]
    expectFailure(await build({}, { flags: ['--rootfs', rootfs], members }), /usr\/share\/labelled/)
  })
})

describe('a table that the image brings along', () => {
  const bring = (text: string): Promise<CommandResult> =>
    build({}, { members: [{ name: 'usr/lib/image-builder/bootc/disk.yaml', data: text, mode: 0o644 }] })

  it('is no YAML, or has a key that nobody knows', async () => {
    expectFailure(await bring('partition_table: ['), /disk\.yaml/)
    expectFailure(await bring('partition_tabel:\n  size: 1 GiB\n'), /disk\.yaml[\s\S]*partition_tabel/)
  })

  it('has partitions of which several are wrong, and each is named', async () => {
    const text = `
partition_table:
  type: gpt
  partitions:
    - size: 1 GiB
      payload_type: filesystem
      payload: { type: ext4, mountpoint: root }
    - size: much
      payload_type: filesystem
      payload: { type: ext4, mountpoint: / }
    - size: 1 GiB
      payload_type: filesystem
      payload: { type: zfs, mountpoint: /var/z }
    - size: 1 GiB
      payload_type: cloud
`
    const result = await bring(text)
    expectFailure(result, /disk\.yaml/)
    expectPlaces(result, [0, 1, 2, 3])
  })

  it('copies a file that the image has not', async () => {
    const text = `
partition_table:
  type: gpt
  partitions:
    - size: 1 MiB
      payload_type: raw
      payload: { source_path: /usr/lib/firmware/board.bin }
    - size: 100 MiB
      payload_type: filesystem
      payload: { type: vfat, mountpoint: /boot/efi }
    - size: 1 GiB
      payload_type: filesystem
      payload: { type: ext4, mountpoint: / }
`
    expectFailure(await bring(text), /usr\/lib\/firmware\/board\.bin/)
  })
})

describe('a root filesystem', () => {
  it.each(['ext4', 'xfs', 'btrfs'])('%s is written when nothing is wrong with it', async (rootfs) => {
    const result = await build({}, { flags: ['--rootfs', rootfs] })
    expect(result.status, result.stderr).toBe(0)
  })
})
