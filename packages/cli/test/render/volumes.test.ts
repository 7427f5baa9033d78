import type { DiskPlanContent, DiskPlanRow, DiskPlanVolume } from '@bootable/core'
import { describe, expect, it } from 'vitest'
import { formatTable } from '../../src/render/table.ts'
import { volumeCells } from '../../src/render/volumes.ts'

const GiB = 1024 ** 3

function content(filesystem: string, given: Partial<DiskPlanContent> = {}): DiskPlanContent {
  return { filesystem, mountpoint: '', label: '', uuid: '', inside: [], ...given }
}

function volume(name: string, size: number | undefined, inside: DiskPlanContent): DiskPlanVolume {
  return { name, ...(size !== undefined && { size }), ...inside }
}

/** Cells as they look. */
function show(given: DiskPlanContent): string {
  const partition: DiskPlanRow = { number: 1, name: 'part', start: 0, size: 8 * GiB, type: 'Linux', ...given }
  const cells = volumeCells(partition).map((row) => [
    ...[row.name, row.size, row.content],
    ...[row.mountpoint, row.label, row.uuid],
  ])
  return formatTable(['name', 'size', 'content', 'at', 'label', 'uuid'], cells)
}

const root = content('xfs', { mountpoint: '/', label: 'root', uuid: 'r' })

describe('what a partition holds', () => {
  it('is a line for a filesystem, for nothing, and for a file', () => {
    expect(show(root)).toBe('name   size  content  at  label  uuid\npart  8 GiB  xfs      /   root   r\n')
    expect(show(content(''))).toContain('\npart  8 GiB\n')
    expect(show(content('raw', { label: '/usr/lib/u-boot.bin' }))).toContain(
      'part  8 GiB  bytes of /usr/lib/u-boot.bin\n',
    )
  })

  it('is a tree for volumes inside volumes', () => {
    const group = content('lvm', {
      label: 'vg00',
      uuid: 'g',
      inside: [
        volume('rootlv', 5 * GiB, root),
        volume('swaplv', GiB, content('swap', { mountpoint: 'none' })),
        volume('spare', GiB / 2, content('')),
      ],
    })
    const inner = volume('luks-00000000-0000-4000-8000-000000000000', 7 * GiB, group)
    expect(show(content('luks', { label: 'crypt', uuid: 'l', inside: [inner] }))).toBe(`\
name       size  content      at    label  uuid
part      8 GiB  LUKS2              crypt  l
          7 GiB    LVM2 vg00               g
rootlv    5 GiB      xfs      /     root   r
swaplv    1 GiB      swap     none
spare   512 MiB
`)
  })

  it('is a btrfs with its subvolumes, which have no size', () => {
    const inside = [
      volume('/', undefined, content('subvolume', { mountpoint: '/var/pool' })),
      volume('root', undefined, content('subvolume', { mountpoint: '/' })),
    ]
    expect(show(content('btrfs', { label: 'pool', uuid: 'b', inside }))).toBe(`\
name   size  content      at         label  uuid
part  8 GiB  btrfs                   pool   b
/              subvolume  /var/pool
root           subvolume  /
`)
  })
})
