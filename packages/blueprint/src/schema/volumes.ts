import * as z from 'zod'

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

/** Words that lvm keeps for itself (`lvm(8)`, VALID NAMES). */
const RESERVED =
  /^(?:\.{1,2}|snapshot|pvmove)$|^(?:snapshot|pvmove)\d|_(?:cdata|cmeta|corig|cpool|cvol|wcorig|mimage|mlog|rimage|rmeta|tdata|tmeta|vdata|vorigin|imeta|iorig|pmspare)/

/** The name of a volume group or of a logical volume. */
export const volumeName = z
  .string()
  .regex(/^[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,126}$/, {
    error: 'must be 1 to 127 of A-Z a-z 0-9 + _ . - and must not start with -',
  })
  .refine((name) => !RESERVED.test(name), { error: 'is a name that lvm keeps for itself' })

/**
 * The name of a subvolume: a path from the top level. It becomes a value of the mount option `subvol`, where
 * a comma would end it, and a word of the kernel command line.
 */
export const subvolumeName = z
  .string()
  .regex(/^[^\s,"'\\/\0]+(?:\/[^\s,"'\\/\0]+)*$/, {
    error: 'must be a path without a leading slash, blanks, commas, quotes and backslashes',
  })
  .refine((name) => !name.split('/').some((part) => part === '.' || part === '..'), {
    error: 'must not hold . or ..',
  })

/** A passphrase as somebody types it when the machine starts. */
export const passphrase = z
  .string()
  .min(1, { error: 'must not be empty' })
  .max(512, { error: 'must not be longer than 512 characters' })
  .regex(/^[^\r\n\0]*$/, { error: 'must be one line' })

export const cipher = z.literal('aes-xts-plain64', { error: 'must be aes-xts-plain64' })

export const encryptedSectorSize = z.union([z.literal(512), z.literal(4096)], {
  error: 'must be 512 or 4096',
})

/** The label of a LUKS header. */
export const luksLabel = z
  .string()
  .regex(/^[\w.+-]{1,47}$/, { error: 'must be 1 to 47 of A-Z a-z 0-9 _ . + -' })

/** Where a mount option must not be torn apart, and a line of a file not end. */
export const mountOptions = z
  .string()
  .regex(/^[!-~]*$/, { error: 'must be mount options, separated by commas and without blanks' })
