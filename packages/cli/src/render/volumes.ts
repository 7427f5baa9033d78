import { formatSize } from '@bootable/bytes'
import type { DiskPlan } from '@bootable/core'

type Content = NonNullable<DiskPlan['partitions'][number]['content']>
type Mount = Extract<Content, { readonly type: 'swap' }>['mount']

/** One line of a plan about what is in a partition, or in a volume inside one. */
export interface VolumeRow {
  /** Of a logical volume or a subvolume; else empty. */
  readonly name: string
  /** Of a logical volume; else empty. */
  readonly size: string
  /** What it is, the further in the further to the right. */
  readonly content: string
  readonly mountpoint: string
  readonly label: string
  readonly uuid: string
}

/** What a partition holds, the outermost first. An empty partition has one line too. */
export function volumeRows(content: Content | undefined): readonly [VolumeRow, ...VolumeRow[]] {
  const [first, ...others] = rowsOf(content, 0)
  return [first ?? row({}), ...others]
}

function row(given: Partial<VolumeRow>): VolumeRow {
  return { name: '', size: '', content: '', mountpoint: '', label: '', uuid: '', ...given }
}

function rowsOf(content: Content | undefined, depth: number): VolumeRow[] {
  if (!content) return []
  const indented = (text: string, more = 0): string => '  '.repeat(depth + more) + text
  switch (content.type) {
    case 'filesystem':
    case 'swap':
      return [row({ ...mountCells(content.mount), content: indented(content.mount.type) })]
    case 'btrfs': {
      const { label, uuid, subvolumes } = content
      return [
        row({ content: indented('btrfs'), label, uuid }),
        ...subvolumes.map(({ name, mount, compress }) =>
          row({
            name: name === '' ? '/' : name,
            content: indented(compress === undefined ? 'subvolume' : `subvolume, ${compress}`, 1),
            mountpoint: mount?.path ?? '',
          }),
        ),
      ]
    }
    case 'luks': {
      const { label, uuid } = content.luks
      return [row({ content: indented('LUKS2'), label, uuid }), ...rowsOf(content.content, depth + 1)]
    }
    case 'lvm': {
      const sizes = new Map(content.group.volumes.map(({ name, size }) => [name, formatSize(size)]))
      const volumes = content.volumes.flatMap(({ name, content: inside }) => {
        const [first = row({ content: indented('volume', 1) }), ...others] = rowsOf(inside, depth + 1)
        return [{ ...first, name, size: sizes.get(name) ?? '' }, ...others]
      })
      return [row({ content: indented(`LVM2 ${content.group.name}`) }), ...volumes]
    }
    case 'raw':
      return [row({ content: indented(`bytes of ${content.path}`) })]
  }
}

function mountCells({ path, label, uuid }: Mount): Partial<VolumeRow> {
  return { mountpoint: path, label, uuid }
}
