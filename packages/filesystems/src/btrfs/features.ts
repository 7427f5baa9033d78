/** Names of the feature bits as `/sys/fs/btrfs/features` spells them. */
const INCOMPAT: readonly string[] = [
  'mixed_backref',
  'default_subvol',
  'mixed_groups',
  'compress_lzo',
  'compress_zstd',
  'big_metadata',
  'extended_iref',
  'raid56',
  'skinny_metadata',
  'no_holes',
  'metadata_uuid',
  'raid1c34',
  'zoned',
  'extent_tree_v2',
  'raid_stripe_tree',
  'feature_i15',
  'simple_quota',
  'remap_tree',
]
const COMPAT_RO: readonly string[] = [
  'free_space_tree',
  'free_space_tree_valid',
  'verity',
  'block_group_tree',
]

/** What a reader of files can do without knowing more: everything that moves nothing. */
const READABLE: readonly string[] = INCOMPAT.filter(
  (name) => !['zoned', 'extent_tree_v2', 'raid_stripe_tree', 'feature_i15', 'remap_tree'].includes(name),
)

/** Names of the features of a filesystem; unknown ones as `feature_i40` and the like. */
export function featureNames(incompat: bigint, compatRo: bigint): string[] {
  return [...namesOf(incompat, INCOMPAT, 'i'), ...namesOf(compatRo, COMPAT_RO, 'r')]
}

/** Names of the features that this reader cannot do with. */
export function unreadableFeatures(incompat: bigint): string[] {
  return namesOf(incompat, INCOMPAT, 'i').filter((name) => !READABLE.includes(name))
}

function namesOf(bits: bigint, names: readonly string[], kind: string): string[] {
  const found: string[] = []
  for (let bit = 0; bit < 64; bit++) {
    if ((bits >> BigInt(bit)) & 1n) found.push(names[bit] ?? `feature_${kind}${bit}`)
  }
  return found
}
