import { BootableError, type RuntimeOptions } from '@bootable/bytes'
import { type BtrfsFilesystem, readBtrfs } from '@bootable/filesystems/btrfs'
import { type Directory, type FileTree, lookup, putInode, splitPath } from '@bootable/tree'
import type { DiskErrorCode } from '../errors.ts'
import { isPartitionUse, PARTITION_TYPES, ROOT_TYPES } from '../gpt/types.ts'
import type { Disk, DiskPartition } from './open-disk.ts'
import { readSystemMounts, type SystemMount } from './system-mounts.ts'
import { type DiskContent, type DiskVolume, escapeName } from './volumes.ts'

/** A place of a disk that holds a filesystem. */
interface Place {
  readonly at: DiskPartition | DiskVolume
  readonly partition: DiskPartition
  readonly filesystem: NonNullable<DiskContent['filesystem']>
}

/** What lies in others, and what has no files. */
const WITHOUT_FILES = ['swap', 'LVM2_member', 'crypto_LUKS']

/**
 * The files of a disk as its system sees them: the root, and everything that the system's own fstab and mount
 * units put into it, so that `/boot`, `/boot/efi` and `/var/data` are in their places. In the ostree layout
 * `/var` is that of the stateroot.
 *
 * The root is found by its type, else by the label `root`, else as the first filesystem with a system in it.
 * Where the system does not say where `/boot` and the ESP are, they are found by their types, or by the label
 * `boot`. Other filesystems are left out, and so are encrypted volumes that were not opened.
 *
 * @throws BootableError `DISK_WITHOUT_ROOT`; FormatError
 */
export async function readDiskTree(disk: Disk, options: RuntimeOptions = {}): Promise<FileTree> {
  const places = disk.partitions.flatMap((partition) => placesIn(partition, partition))
  const root = await findRoot(disk, places, options)
  if (!root) {
    const types = disk.partitions.map(({ type }) => type)
    const closed = disk.partitions.some(({ filesystem, volumes }) => isClosed(filesystem, volumes))
    throw new BootableError<DiskErrorCode>(
      'DISK_WITHOUT_ROOT',
      'none of the partitions holds a root filesystem',
      { details: { types }, ...(closed && { hint: 'a volume is encrypted: give its passphrase' }) },
    )
  }
  const { place, tree } = root
  const mounts = await readSystemMounts(tree)
  const wanted: CustomaryMount[] = [
    ...mounts.filter(({ where }) => where !== '/'),
    ...customaryMounts(places, place, mounts),
  ]
  // Parents first: what is mounted on /boot hides what was below it.
  for (const { where, what, options: words, prefix } of wanted.sort(
    (a, b) => a.where.length - b.where.length,
  )) {
    const found = typeof what === 'string' ? places.find((each) => isNamed(each, what)) : what
    if (!found) continue
    const directory = await readMounted(disk, found, words, options)
    if (directory) putInode(tree, `${isVar(where) ? prefix : ''}${where}`, directory)
  }
  return tree
}

function isVar(path: string): boolean {
  return path === '/var' || path.startsWith('/var/')
}

function isClosed(filesystem: DiskContent['filesystem'], volumes: DiskContent['volumes']): boolean {
  return filesystem?.type === 'crypto_LUKS' && !volumes
}

function placesIn(at: DiskPartition | DiskVolume, partition: DiskPartition): Place[] {
  const { filesystem, volumes = [] } = at
  const inside = volumes.flatMap((volume) => placesIn(volume, partition))
  if (!filesystem || WITHOUT_FILES.includes(filesystem.type)) return inside
  return [{ at, partition, filesystem }, ...inside]
}

/** Candidates in their order; the first one whose files look like a system's is the root. */
async function findRoot(
  disk: Disk,
  places: readonly Place[],
  options: RuntimeOptions,
): Promise<{ place: Place; tree: FileTree } | undefined> {
  const linux = places.filter(({ filesystem }) => filesystem.type !== 'vfat')
  const byType = linux.filter(({ partition }) => ROOT_TYPES.includes(partition.type))
  const labelled = linux.filter(({ filesystem }) => filesystem.label === 'root')
  // On a DOS table a boot partition has the type of all the others.
  const isBoot = ({ partition, filesystem }: Place): boolean =>
    filesystem.label === 'boot' || partition.type === PARTITION_TYPES.xbootldr
  const others = linux.filter((place) => !isBoot(place))
  const candidates = [...new Set([...byType, ...labelled, ...others])]
  let first: { place: Place; tree: FileTree } | undefined
  for (const place of candidates) {
    const tree = await readRoot(disk, place, options)
    if (hasSystem(tree)) return { place, tree }
    first ??= { place, tree }
  }
  return first
}

/** Directories that only a root filesystem has. */
function hasSystem(tree: FileTree): boolean {
  return ['etc', 'usr', 'ostree'].some((name) => lookup(tree, name)?.type === 'directory')
}

async function readRoot(disk: Disk, place: Place, options: RuntimeOptions): Promise<FileTree> {
  if (place.filesystem.type !== 'btrfs') return disk.readTree(place.at)
  const filesystem = await readBtrfs(disk.open(place.at), options)
  const top = await filesystem.tree()
  // What distributions call the subvolume of the root, then what a mount without options shows.
  for (const name of ['root', '@', '@root', defaultPath(filesystem)]) {
    const found = lookup(top, name)
    if (found?.type === 'directory' && hasSystem({ root: found })) return { root: found }
  }
  return top
}

function defaultPath({ defaultSubvolume, subvolumes }: BtrfsFilesystem): string {
  return subvolumes.find(({ id }) => id === defaultSubvolume)?.path ?? ''
}

/** What is seen where a place is mounted; `undefined` for a subvolume that is not there. */
async function readMounted(
  disk: Disk,
  place: Place,
  words: string,
  options: RuntimeOptions,
): Promise<Directory | undefined> {
  if (place.filesystem.type !== 'btrfs') return (await disk.readTree(place.at)).root
  const filesystem = await readBtrfs(disk.open(place.at), options)
  const found = lookup(await filesystem.tree(), subvolumeOf(filesystem, words))
  return found?.type === 'directory' ? found : undefined
}

/** btrfs(5): `subvol=` counts from the top level, with or without a leading slash. */
function subvolumeOf(filesystem: BtrfsFilesystem, options: string): string {
  for (const option of options.split(',')) {
    const [key, value = ''] = option.split('=')
    if (key === 'subvol') return value
    if (key === 'subvolid') return filesystem.subvolumes.find(({ id }) => String(id) === value)?.path ?? ''
  }
  return defaultPath(filesystem)
}

/** Whether the first field of an fstab means a place. */
function isNamed({ at, filesystem, partition }: Place, what: string): boolean {
  const device = /^\/dev\/disk\/by-(uuid|label|partuuid|partlabel)\/(.*)$/.exec(what)
  const [, key = '', value = ''] = device ?? /^(\w+)="?([^"]*)"?$/.exec(what) ?? []
  const isPartition = at === partition
  switch (key.toLowerCase()) {
    case 'uuid':
      return filesystem.uuid !== '' && filesystem.uuid.toLowerCase() === value.toLowerCase()
    case 'label':
      return filesystem.label !== '' && filesystem.label === value
    case 'partuuid':
      return isPartition && partition.uuid.toLowerCase() === value.toLowerCase()
    case 'partlabel':
      return isPartition && partition.label !== '' && partition.label === value
    default:
      return 'open' in at && mappedName(what) === at.name
  }
}

/** Device-mapper's name of `/dev/mapper/NAME` or `/dev/GROUP/VOLUME`. */
function mappedName(device: string): string | undefined {
  const [root, folder, name, ...rest] = splitPath(device)
  if (root !== 'dev' || name === undefined || rest.length > 0) return undefined
  return folder === 'mapper' ? name : `${escapeName(folder as string)}-${escapeName(name)}`
}

type CustomaryMount = Omit<SystemMount, 'what'> & { readonly what: string | Place }

/** `/boot` and the ESP, where the system itself does not say. */
function customaryMounts(
  places: readonly Place[],
  root: Place,
  mounts: readonly SystemMount[],
): CustomaryMount[] {
  const isSaid = (path: string): boolean => mounts.some(({ where }) => where === path)
  const isEsp = ({ partition }: Place): boolean => isPartitionUse(partition.type, 'esp')
  const others = places.filter((place) => place !== root && !isEsp(place))
  const boot =
    others.find(({ partition }) => partition.type === PARTITION_TYPES.xbootldr) ??
    others.find(({ filesystem }) => filesystem.label === 'boot')
  const esp = places.find(isEsp)
  const found: [string, Place | undefined][] = [
    ['/boot', boot],
    ['/boot/efi', isSaid('/efi') ? undefined : esp],
  ]
  return found.flatMap(([where, what]) =>
    what && !isSaid(where) ? [{ where, what, options: '', prefix: '' }] : [],
  )
}
