import * as xfs from './format.ts'

/** Feature bits by the names under which `mkfs.xfs` takes them. */
const RO_COMPAT: readonly (readonly [bit: number, name: string])[] = [
  [xfs.XFS_SB_FEAT_RO_COMPAT_FINOBT, 'finobt'],
  [xfs.XFS_SB_FEAT_RO_COMPAT_RMAPBT, 'rmapbt'],
  [xfs.XFS_SB_FEAT_RO_COMPAT_REFLINK, 'reflink'],
  [xfs.XFS_SB_FEAT_RO_COMPAT_INOBTCNT, 'inobtcount'],
]
const INCOMPAT: readonly (readonly [bit: number, name: string])[] = [
  [xfs.XFS_SB_FEAT_INCOMPAT_FTYPE, 'ftype'],
  [xfs.XFS_SB_FEAT_INCOMPAT_SPINODES, 'sparse'],
  [xfs.XFS_SB_FEAT_INCOMPAT_META_UUID, 'meta_uuid'],
  [xfs.XFS_SB_FEAT_INCOMPAT_BIGTIME, 'bigtime'],
  [xfs.XFS_SB_FEAT_INCOMPAT_NEEDSREPAIR, 'needsrepair'],
  [xfs.XFS_SB_FEAT_INCOMPAT_NREXT64, 'nrext64'],
  [xfs.XFS_SB_FEAT_INCOMPAT_EXCHRANGE, 'exchange'],
  [xfs.XFS_SB_FEAT_INCOMPAT_PARENT, 'parent'],
  [xfs.XFS_SB_FEAT_INCOMPAT_METADIR, 'metadir'],
]

/** Features with which names and contents are found as without them, or as this reader knows. */
export const READABLE_INCOMPAT =
  INCOMPAT.reduce((mask, [bit]) => mask | bit, 0) & ~xfs.XFS_SB_FEAT_INCOMPAT_NEEDSREPAIR

/** Names of feature bits, unknown ones as `ro_compat_9` and the like. */
export function featureNames(bits: { readonly roCompat: number; readonly incompat: number }): string[] {
  return [
    ...nameBits(RO_COMPAT, bits.roCompat, 'ro_compat'),
    ...nameBits(INCOMPAT, bits.incompat, 'incompat'),
  ]
}

function nameBits(known: typeof INCOMPAT, bits: number, word: string): string[] {
  return Array.from({ length: 32 }, (_, index) => index)
    .filter((index) => (bits >>> index) & 1)
    .map((index) => known.find(([bit]) => bit === 2 ** index)?.[1] ?? `${word}_${index}`)
}
