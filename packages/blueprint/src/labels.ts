/** The longest labels, in bytes, that filesystems have room for. */
const LABEL_LIMITS: Readonly<Record<string, number>> = { ext4: 16, xfs: 12, vfat: 11, btrfs: 255, swap: 15 }

/** What is wrong with the label of a filesystem; `undefined` for nothing. */
export function labelProblem(type: string, label: string): string | undefined {
  const limit = LABEL_LIMITS[type]
  if (limit === undefined) return undefined
  const { length } = new TextEncoder().encode(label)
  if (length > limit) return `has ${length} bytes; a label of ${type} has ${limit} at most`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: labels become names of links and lines of files
  if (/[\u0000-\u001f\u007f/]/.test(label)) return 'must not hold slashes or control characters'
  if (type === 'vfat' && /[^ -~]|["*+,.:;<=>?[\\\]|]/.test(label)) {
    return 'must be ASCII without " * + , . : ; < = > ? [ \\ ] |'
  }
  return undefined
}
