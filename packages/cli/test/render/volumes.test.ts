import type { DiskPlan } from '@bootable/core'
import { describe, expect, it } from 'vitest'
import { formatTable } from '../../src/render/table.ts'
import { type VolumeRow, volumeRows } from '../../src/render/volumes.ts'

type Content = NonNullable<DiskPlan['partitions'][number]['content']>

function mount(path: string, type: 'ext4' | 'xfs' | 'btrfs' | 'swap', label = '') {
  return { path, type, uuid: `uuid-of-${path}`, label, options: 'defaults', freq: 0, passno: 0 }
}

/** Rows as they look. */
function show(content: Content | undefined): string {
  const cells = ({ name, size, content: what, mountpoint, label, uuid }: VolumeRow): string[] => [
    name,
    size,
    what,
    mountpoint,
    label,
    uuid,
  ]
  return formatTable(['name', 'size', 'content', 'at', 'label', 'uuid'], volumeRows(content).map(cells))
}

const filesystem: Content = { type: 'filesystem', mount: mount('/', 'xfs', 'root') }

describe('what a partition holds', () => {
  it('is a line for a filesystem, and for nothing', () => {
    expect(show(filesystem)).toBe(
      'name  size  content  at  label  uuid\n            xfs      /   root   uuid-of-/\n',
    )
    expect(volumeRows(undefined)).toHaveLength(1)
    expect(volumeRows({ type: 'raw', path: '/usr/lib/u-boot.bin' })[0].content).toBe(
      'bytes of /usr/lib/u-boot.bin',
    )
  })

  it('is a tree for volumes inside volumes, without any secret', () => {
    const content = {
      type: 'luks',
      luks: { uuid: 'uuid-of-luks', label: 'crypt', salts: { keyslot: 'salt' } },
      content: {
        type: 'lvm',
        group: {
          name: 'vg00',
          volumes: [
            { name: 'rootlv', size: 5 * 1024 ** 3 },
            { name: 'swaplv', size: 1024 ** 3 },
            { name: 'spare', size: 4 * 1024 ** 2 },
          ],
        },
        volumes: [
          { name: 'rootlv', content: filesystem },
          { name: 'swaplv', content: { type: 'swap', mount: mount('none', 'swap') } },
          { name: 'spare' },
        ],
      },
    } as unknown as Content
    expect(show(content)).toBe(`\
name     size  content      at    label  uuid
               LUKS2              crypt  uuid-of-luks
                 LVM2 vg00
rootlv  5 GiB      xfs      /     root   uuid-of-/
swaplv  1 GiB      swap     none         uuid-of-none
spare   4 MiB      volume
`)
  })

  it('names subvolumes and how they are compressed', () => {
    const content: Content = {
      type: 'btrfs',
      uuid: 'uuid-of-btrfs',
      label: 'pool',
      subvolumes: [
        { name: '', mount: mount('/var/pool', 'btrfs') },
        { name: 'root', mount: mount('/', 'btrfs'), compress: 'zstd:1' },
        { name: 'spare' },
      ],
    }
    expect(show(content)).toBe(`\
name   size  content              at         label  uuid
             btrfs                           pool   uuid-of-btrfs
/              subvolume          /var/pool
root           subvolume, zstd:1  /
spare          subvolume
`)
  })
})
