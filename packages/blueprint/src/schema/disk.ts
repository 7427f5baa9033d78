import * as z from 'zod'
import type { DiskCustomization } from '../blueprint.ts'
import { checkDisk } from './disk-rules.ts'
import { canonicalPath, size } from './values.ts'

const attributes = {
  minsize: size,
  part_type: z.string().exactOptional().meta({ description: 'GUID (gpt) or two hexadecimal digits (dos)' }),
  // JavaScript counts strings in UTF-16 units, which is what the GPT holds (UEFI 2.10, 5.3.3).
  part_label: z.string().max(36, { error: 'must not be longer than 36 UTF-16 units' }).exactOptional(),
  part_uuid: z.guid({ error: 'must be a uuid' }).exactOptional(),
}

const content = {
  fs_type: z.enum(['ext4', 'xfs', 'vfat', 'swap', 'none'], {
    error: 'must be one of ext4, xfs, vfat, swap, none',
  }),
  mountpoint: canonicalPath.exactOptional(),
  label: z.string().exactOptional(),
}

const name = z.string().regex(/^[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,126}$/, {
  error: 'must be 1 to 127 of A-Z a-z 0-9 + _ . - and must not start with -',
})

const plain = z.strictObject({ type: z.literal('plain').exactOptional(), ...attributes, ...content })

const lvm = z.strictObject({
  type: z.literal('lvm'),
  name: name.exactOptional(),
  ...attributes,
  logical_volumes: z.array(z.strictObject({ name: name.exactOptional(), minsize: size, ...content })),
  label: z.never({ error: 'belongs to a logical volume: a volume group has none' }).exactOptional(),
})

const btrfs = z.strictObject({
  type: z.literal('btrfs'),
  ...attributes,
  subvolumes: z.array(z.strictObject({ name: z.string().min(1), mountpoint: canonicalPath })),
  mountpoint: z
    .never({ error: 'belongs to a subvolume: a btrfs volume itself is not mounted' })
    .exactOptional(),
})

export const disk = z
  .strictObject({
    type: z.enum(['gpt', 'dos'], { error: 'must be gpt or dos' }).exactOptional(),
    minsize: size.exactOptional(),
    start_offset: size.exactOptional(),
    sector_size: z
      .int()
      .refine((bytes) => bytes >= 512 && bytes <= 4096 && Number.isInteger(Math.log2(bytes)), {
        error: 'must be a power of two from 512 to 4096',
      })
      .exactOptional(),
    partitions: z
      .array(z.discriminatedUnion('type', [plain, lvm, btrfs], { error: 'must be one of plain, lvm, btrfs' }))
      .exactOptional(),
  })
  .superRefine(checkDisk) satisfies z.ZodType<DiskCustomization>
