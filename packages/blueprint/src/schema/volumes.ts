import * as z from 'zod'
import { isReservedVolumeName } from '../volume-names.ts'

/** The name of a volume group or of a logical volume. */
export const volumeName = z
  .string()
  .regex(/^[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,126}$/, {
    error: 'must be 1 to 127 of A-Z a-z 0-9 + _ . - and must not start with -',
  })
  .refine((name) => !isReservedVolumeName(name), { error: 'is a name that lvm keeps for itself' })

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
