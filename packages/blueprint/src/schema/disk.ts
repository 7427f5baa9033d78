import * as z from 'zod'
import type { DiskCustomization } from '../blueprint.ts'
import { checkDisk } from './disk-rules.ts'
import { canonicalPath, sectorSize, size } from './values.ts'
import { cipher, encryptedSectorSize, luksLabel, passphrase, subvolumeName, volumeName } from './volumes.ts'

const encryption = z
  .strictObject({
    passphrase: passphrase
      .exactOptional()
      .meta({ description: 'What is typed at the start; better given apart from the blueprint' }),
    pbkdf: z.enum(['argon2id', 'pbkdf2'], { error: 'must be argon2id or pbkdf2' }).exactOptional(),
    cipher: cipher.exactOptional(),
    label: luksLabel.exactOptional(),
    sector_size: encryptedSectorSize.exactOptional(),
  })
  .meta({ description: 'LUKS2: an extension of bootable, unknown to osbuild' })

const attributes = {
  minsize: size,
  part_type: z.string().exactOptional().meta({ description: 'GUID (gpt) or two hexadecimal digits (dos)' }),
  // JavaScript counts strings in UTF-16 units, which is what the GPT holds (UEFI 2.10, 5.3.3).
  part_label: z.string().max(36, { error: 'must not be longer than 36 UTF-16 units' }).exactOptional(),
  part_uuid: z.guid({ error: 'must be a uuid' }).exactOptional(),
  encryption: encryption.exactOptional(),
}

const content = {
  fs_type: z.enum(['ext4', 'xfs', 'vfat', 'swap', 'none'], {
    error: 'must be one of ext4, xfs, vfat, swap, none',
  }),
  mountpoint: canonicalPath.exactOptional(),
  label: z.string().exactOptional(),
}

const plain = z.strictObject({ type: z.literal('plain').exactOptional(), ...attributes, ...content })

const lvm = z.strictObject({
  type: z.literal('lvm'),
  name: volumeName.exactOptional(),
  ...attributes,
  logical_volumes: z.array(
    z.strictObject({
      name: volumeName.exactOptional(),
      minsize: size,
      encryption: encryption.exactOptional(),
      ...content,
    }),
  ),
  label: z.never({ error: 'belongs to a logical volume: a volume group has none' }).exactOptional(),
})

const btrfs = z.strictObject({
  type: z.literal('btrfs'),
  ...attributes,
  subvolumes: z.array(z.strictObject({ name: subvolumeName, mountpoint: canonicalPath })),
  mountpoint: z
    .never({ error: 'belongs to a subvolume: a btrfs volume itself is not mounted' })
    .exactOptional(),
})

export const disk = z
  .strictObject({
    type: z.enum(['gpt', 'dos'], { error: 'must be gpt or dos' }).exactOptional(),
    minsize: size.exactOptional(),
    start_offset: size.exactOptional(),
    sector_size: sectorSize.exactOptional(),
    partitions: z
      .array(z.discriminatedUnion('type', [plain, lvm, btrfs], { error: 'must be one of plain, lvm, btrfs' }))
      .exactOptional(),
  })
  .superRefine(checkDisk) satisfies z.ZodType<DiskCustomization>
