import * as z from 'zod'
import type { EmbeddedDisk } from '../embedded-disk.ts'
import { checkEmbeddedTable } from './embedded-disk-rules.ts'
import { canonicalPath, sectorSize, size } from './values.ts'
import {
  cipher,
  encryptedSectorSize,
  luksLabel,
  mountOptions,
  passphrase,
  subvolumeName,
  volumeName,
} from './volumes.ts'

const count = z.int().nonnegative()
const uuid = z.guid({ error: 'must be a uuid' })

const mounted = {
  fstab_options: mountOptions.exactOptional(),
  fstab_freq: count.exactOptional(),
  fstab_passno: count.exactOptional(),
}

const filesystem = z.strictObject({
  type: z
    .enum(['ext4', 'xfs', 'vfat', 'btrfs'], { error: 'must be one of ext4, xfs, vfat, btrfs' })
    .exactOptional(),
  uuid: z.string().exactOptional(),
  label: z.string().exactOptional(),
  mountpoint: canonicalPath.exactOptional(),
  ...mounted,
  mkfs_options: z
    .strictObject({
      verity: z.boolean().exactOptional(),
      geometry: z
        .strictObject({ heads: z.int().min(1).max(255), sectors_per_track: z.int().min(1).max(63) })
        .exactOptional(),
      agcount: z.int().min(1).max(1_000_000).exactOptional(),
    })
    .exactOptional(),
})

const swap = z.strictObject({ uuid: uuid.exactOptional(), label: z.string().exactOptional(), ...mounted })

const btrfs = z.strictObject({
  uuid: uuid.exactOptional(),
  label: z.string().exactOptional(),
  mountpoint: canonicalPath.exactOptional(),
  subvolumes: z
    .array(
      z.strictObject({
        name: subvolumeName,
        size: size.exactOptional(),
        mountpoint: canonicalPath.exactOptional(),
        group_id: count.exactOptional(),
        compress: z
          .string()
          .regex(/^(?:zlib(?::[1-9])?|zstd(?::(?:1[0-5]|[1-9]))?|lzo|no)$/, {
            error: 'must be zlib, zstd (both with a level, such as zstd:1), lzo or no',
          })
          .exactOptional(),
        read_only: z.boolean().exactOptional(),
        uuid: uuid.exactOptional(),
      }),
    )
    .exactOptional(),
})

const raw = z.strictObject({ source_path: canonicalPath })

const ofFilesystem = { payload_type: z.literal('filesystem'), payload: filesystem }
const ofSwap = { payload_type: z.literal('swap'), payload: swap }
const ofBtrfs = { payload_type: z.literal('btrfs'), payload: btrfs }
const ofNothing = {
  payload_type: z.literal('no-payload').exactOptional(),
  payload: z.never({ error: 'needs a payload_type' }).exactOptional(),
}

const luksAttributes = {
  passphrase: passphrase.exactOptional(),
  uuid: uuid.exactOptional(),
  cipher: cipher.exactOptional(),
  label: luksLabel.exactOptional(),
  subsystem: luksLabel.exactOptional(),
  sector_size: encryptedSectorSize.exactOptional(),
  pbkdf: z
    .strictObject({
      // What `planLuks` takes.
      iterations: z.int().min(4).max(1000).exactOptional(),
      memory: z.int().min(32).max(1_048_576).exactOptional(),
      parallelism: z.int().min(1).max(4).exactOptional(),
    })
    .exactOptional(),
  clevis: z
    .never({ error: 'is not supported: bind the volume on the running machine (clevis luks bind)' })
    .exactOptional(),
}

const encryptedContents = [
  z.strictObject({ ...luksAttributes, ...ofFilesystem }),
  z.strictObject({ ...luksAttributes, ...ofSwap }),
  z.strictObject({ ...luksAttributes, ...ofBtrfs }),
] as const

const luksInGroup = z.discriminatedUnion('payload_type', encryptedContents, {
  error: 'must be one of filesystem, swap, btrfs',
})

const volumeAttributes = { name: volumeName.exactOptional(), size }
const volumeContents = [
  z.strictObject({ ...volumeAttributes, ...ofNothing }),
  z.strictObject({ ...volumeAttributes, ...ofFilesystem }),
  z.strictObject({ ...volumeAttributes, ...ofSwap }),
  z.strictObject({ ...volumeAttributes, ...ofBtrfs }),
  z.strictObject({ ...volumeAttributes, payload_type: z.literal('luks'), payload: luksInGroup }),
] as const

const ofGroup = {
  payload_type: z.literal('lvm'),
  payload: z.strictObject({
    name: volumeName.exactOptional(),
    description: z.string().exactOptional(),
    logical_volumes: z
      .array(
        z.discriminatedUnion('payload_type', volumeContents, {
          error: 'must be one of filesystem, swap, btrfs, luks',
        }),
      )
      .exactOptional(),
  }),
}

const luks = z.discriminatedUnion(
  'payload_type',
  [...encryptedContents, z.strictObject({ ...luksAttributes, ...ofGroup })],
  { error: 'must be one of filesystem, swap, btrfs, lvm' },
)

const partitionAttributes = {
  size,
  start: size.exactOptional(),
  type: z.string().exactOptional(),
  bootable: z.boolean().exactOptional(),
  uuid: uuid.exactOptional(),
  label: z.string().max(36, { error: 'must not be longer than 36 UTF-16 units' }).exactOptional(),
  attrs: z.array(z.int().min(0).max(63)).exactOptional(),
}

const partition = z.discriminatedUnion(
  'payload_type',
  [
    z.strictObject({ ...partitionAttributes, ...ofNothing }),
    z.strictObject({ ...partitionAttributes, ...ofFilesystem }),
    z.strictObject({ ...partitionAttributes, ...ofSwap }),
    z.strictObject({ ...partitionAttributes, ...ofBtrfs }),
    z.strictObject({ ...partitionAttributes, ...ofGroup }),
    z.strictObject({ ...partitionAttributes, payload_type: z.literal('luks'), payload: luks }),
    z.strictObject({ ...partitionAttributes, payload_type: z.literal('raw'), payload: raw }),
  ],
  { error: 'must be one of filesystem, btrfs, lvm, luks, swap, raw' },
)

export const partitionTable = z
  .strictObject({
    type: z.enum(['gpt', 'dos'], { error: 'must be gpt or dos' }),
    partitions: z.array(partition),
    size: size.exactOptional(),
    uuid: z.string().exactOptional(),
    grain_size: size.exactOptional(),
    sector_size: sectorSize.exactOptional(),
    extra_padding: count.exactOptional(),
    start_offset: size.exactOptional(),
    absolute_start_offset: z.boolean().exactOptional(),
    align_footer: z.boolean().exactOptional(),
    policy: z
      .strictObject({
        ensure_xbootldr: z.boolean().exactOptional(),
        grow_root_to_fill_disk: z.boolean().exactOptional(),
      })
      .exactOptional(),
  })
  .superRefine(checkEmbeddedTable)

/** `disk.yaml` as a whole. */
export const embeddedDisk = z.strictObject({
  mount_configuration: z
    .enum(['units', 'fstab', 'none'], { error: 'must be units, fstab or none' })
    .exactOptional(),
  partition_table: partitionTable.exactOptional(),
}) satisfies z.ZodType<EmbeddedDisk>
