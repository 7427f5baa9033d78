import * as ext4 from './format.ts'

/** Names of the feature bits, as e2fsprogs gives them. */
const FEATURES: readonly (readonly [word: 'C' | 'I' | 'R', bit: number, name: string])[] = [
  ['C', 0x0001, 'dir_prealloc'],
  ['C', 0x0002, 'imagic_inodes'],
  ['C', ext4.EXT4_FEATURE_COMPAT_HAS_JOURNAL, 'has_journal'],
  ['C', ext4.EXT4_FEATURE_COMPAT_EXT_ATTR, 'ext_attr'],
  ['C', ext4.EXT4_FEATURE_COMPAT_RESIZE_INODE, 'resize_inode'],
  ['C', ext4.EXT4_FEATURE_COMPAT_DIR_INDEX, 'dir_index'],
  ['C', ext4.EXT4_FEATURE_COMPAT_SPARSE_SUPER2, 'sparse_super2'],
  ['C', ext4.EXT4_FEATURE_COMPAT_FAST_COMMIT, 'fast_commit'],
  ['C', ext4.EXT4_FEATURE_COMPAT_STABLE_INODES, 'stable_inodes'],
  ['C', ext4.EXT4_FEATURE_COMPAT_ORPHAN_FILE, 'orphan_file'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_COMPRESSION, 'compression'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_FILETYPE, 'filetype'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_RECOVER, 'needs_recovery'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_JOURNAL_DEV, 'journal_dev'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_META_BG, 'meta_bg'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_EXTENTS, 'extent'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_64BIT, '64bit'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_MMP, 'mmp'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_FLEX_BG, 'flex_bg'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_EA_INODE, 'ea_inode'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_CSUM_SEED, 'metadata_csum_seed'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_LARGEDIR, 'large_dir'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_INLINE_DATA, 'inline_data'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_ENCRYPT, 'encrypt'],
  ['I', ext4.EXT4_FEATURE_INCOMPAT_CASEFOLD, 'casefold'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_SPARSE_SUPER, 'sparse_super'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_LARGE_FILE, 'large_file'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_HUGE_FILE, 'huge_file'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_GDT_CSUM, 'uninit_bg'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_DIR_NLINK, 'dir_nlink'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE, 'extra_isize'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_QUOTA, 'quota'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_BIGALLOC, 'bigalloc'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_METADATA_CSUM, 'metadata_csum'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_READONLY, 'read-only'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_PROJECT, 'project'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_VERITY, 'verity'],
  ['R', ext4.EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT, 'orphan_present'],
]

/** The names of the features in the three words of a superblock. */
export function featureNames(words: Readonly<Record<'C' | 'I' | 'R', number>>): string[] {
  return (['C', 'I', 'R'] as const).flatMap((word) =>
    Array.from({ length: 32 }, (_, position) => position)
      .filter((position) => (words[word] & (1 << position)) !== 0)
      .map((position) => {
        const known = FEATURES.find(([of, bit]) => of === word && bit === 1 << position)
        return known?.[2] ?? `FEATURE_${word}${position}`
      }),
  )
}

/** Feature bits under which directories, inodes and extents stand where this reader looks for them. */
export const READABLE_INCOMPAT =
  ext4.EXT4_FEATURE_INCOMPAT_FILETYPE |
  ext4.EXT4_FEATURE_INCOMPAT_RECOVER |
  ext4.EXT4_FEATURE_INCOMPAT_EXTENTS |
  ext4.EXT4_FEATURE_INCOMPAT_64BIT |
  ext4.EXT4_FEATURE_INCOMPAT_MMP |
  ext4.EXT4_FEATURE_INCOMPAT_FLEX_BG |
  ext4.EXT4_FEATURE_INCOMPAT_EA_INODE |
  ext4.EXT4_FEATURE_INCOMPAT_CSUM_SEED |
  ext4.EXT4_FEATURE_INCOMPAT_LARGEDIR |
  ext4.EXT4_FEATURE_INCOMPAT_INLINE_DATA |
  ext4.EXT4_FEATURE_INCOMPAT_ENCRYPT |
  ext4.EXT4_FEATURE_INCOMPAT_CASEFOLD

/** The features of what we write: those of `mke2fs -t ext4`, without the two that GRUB 2.06 cannot read. */
export function writtenFeatures(parts: {
  readonly journal: boolean
  readonly resize: boolean
  readonly verity: boolean
}): [compat: number, incompat: number, roCompat: number] {
  const compat =
    (parts.journal ? ext4.EXT4_FEATURE_COMPAT_HAS_JOURNAL : 0) |
    ext4.EXT4_FEATURE_COMPAT_EXT_ATTR |
    (parts.resize ? ext4.EXT4_FEATURE_COMPAT_RESIZE_INODE : 0) |
    ext4.EXT4_FEATURE_COMPAT_DIR_INDEX
  const incompat =
    ext4.EXT4_FEATURE_INCOMPAT_FILETYPE |
    ext4.EXT4_FEATURE_INCOMPAT_EXTENTS |
    ext4.EXT4_FEATURE_INCOMPAT_64BIT |
    ext4.EXT4_FEATURE_INCOMPAT_FLEX_BG
  const roCompat =
    ext4.EXT4_FEATURE_RO_COMPAT_SPARSE_SUPER |
    ext4.EXT4_FEATURE_RO_COMPAT_LARGE_FILE |
    ext4.EXT4_FEATURE_RO_COMPAT_HUGE_FILE |
    ext4.EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
    ext4.EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE |
    ext4.EXT4_FEATURE_RO_COMPAT_METADATA_CSUM |
    (parts.verity ? ext4.EXT4_FEATURE_RO_COMPAT_VERITY : 0)
  return [compat, incompat, roCompat]
}
