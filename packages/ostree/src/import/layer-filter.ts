import type { TarMember } from '@bootable/oci'

/** Where an ostree repository lies inside an image that was made from one. */
export const EMBEDDED_REPOSITORY = 'sysroot/ostree/repo/'

/**
 * What the kernel and systemd mount over at boot (systemd, "API File Systems"): the directory itself stays,
 * its content is none of the image's.
 */
const API_DIRECTORIES = new Set(['run', 'tmp', 'proc', 'sys', 'dev'])

/** Options of {@link filterLayer}. */
export interface FilterLayerOptions {
  /** Keeps what lies outside of `usr`, `etc` and `var`, such as `opt` and `root`. */
  readonly keepOthers: boolean
}

/** What is left of a layer. */
export interface FilteredLayer {
  /** In the order of the layer, under the paths that they have in a commit. */
  readonly members: readonly TarMember[]
  /** How many members were dropped, by the first name of their path. */
  readonly dropped: ReadonlyMap<string, number>
}

/**
 * The members of a layer that go into its commit, as ostree-ext's `filter_tar` chooses them: `etc` becomes
 * `usr/etc`, also in targets of hard links; contents of `run`, `tmp`, `proc`, `sys` and `dev` go.
 *
 * A container that changes a file of an encapsulated image changes the object that the file is a hard link
 * of. Such a changed object is taken out of the embedded repository: the first link to it becomes the file,
 * later ones link to that.
 */
export function filterLayer(members: Iterable<TarMember>, options: FilterLayerOptions): FilteredLayer {
  const kept: TarMember[] = []
  const dropped = new Map<string, number>()
  /** Changed objects by their path, and where they stand once a link took them over. */
  const changed = new Map<string, TarMember>()
  const moved = new Map<string, string>()

  function drop(path: string): void {
    const top = firstName(path)
    dropped.set(top, (dropped.get(top) ?? 0) + 1)
  }

  function relink(member: TarMember, path: string): void {
    const target = moved.get(member.linkName)
    const object = changed.get(member.linkName)
    if (target !== undefined) kept.push({ ...member, path, linkName: target })
    else if (object) {
      moved.set(member.linkName, path)
      kept.push({ ...object, path })
    } else drop(member.linkName)
  }

  for (const member of members) {
    // The importer of ostree-ext takes time 0 for "as it was exported".
    const isModified = member.mtime.seconds > 0
    if (isModified && member.type === 'file' && member.path.startsWith(EMBEDDED_REPOSITORY)) {
      changed.set(member.path, member)
      moved.delete(member.path)
      continue
    }
    const path = commitPath(member.path, options)
    if (path === undefined) drop(member.path)
    else if (isModified && member.type === 'hardlink' && member.linkName.startsWith(EMBEDDED_REPOSITORY)) {
      relink(member, path)
    } else {
      const linkName = member.type === 'hardlink' ? remapEtc(member.linkName) : member.linkName
      const isSame = path === member.path && linkName === member.linkName
      kept.push(isSame ? member : { ...member, path, linkName })
    }
  }
  return { members: kept, dropped }
}

/** The path that a member has in a commit; `undefined` for one that has none. */
function commitPath(path: string, { keepOthers }: FilterLayerOptions): string | undefined {
  const top = firstName(path)
  if (API_DIRECTORIES.has(top)) return top === path ? path : undefined
  if (keepOthers || top === '' || top === 'usr' || top === 'var' || top === 'etc') return remapEtc(path)
  return undefined
}

/** ostree keeps the pristine `/etc` in `/usr/etc`; each deployment has a copy of it. */
function remapEtc(path: string): string {
  return firstName(path) === 'etc' ? `usr/${path}` : path
}

function firstName(path: string): string {
  const slash = path.indexOf('/')
  return slash < 0 ? path : path.slice(0, slash)
}
