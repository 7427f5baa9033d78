// Writes one filesystem with the files of an image whose layers are in a cache:
//   write-filesystem.mjs TYPE LAYOUT CACHE OUT BYTES [ALGORITHM]
import { createFileDevice, nodeRuntime } from '@bootable/bytes/node'
import { openImage, unpackImage } from '@bootable/oci'
import { folderLayerCache, openLayout } from '@bootable/oci/node'

const [type, layout, cache, out, bytes, algorithm] = process.argv.slice(2)

const UUID = '6f1c2a9e-3b47-4c1d-9a55-0d2f4e8b7c10'
const WRITERS = {
  ext4: async () => (await import('@bootable/filesystems/ext4')).writeExt4,
  xfs: async () => (await import('@bootable/filesystems/xfs')).writeXfs,
  btrfs: async () => (await import('@bootable/filesystems/btrfs')).writeBtrfs,
  erofs: async () => (await import('@bootable/filesystems/erofs')).writeErofs,
}

const store = await openLayout(layout, { runtime: nodeRuntime })
const image = await openImage(store, '')
const tree = await unpackImage(image, { cache: folderLayerCache(cache), runtime: nodeRuntime })
const device = await createFileDevice(out, { size: Number(bytes) })
const compress = algorithm === undefined ? {} : { compress: { algorithm } }
const write = await WRITERS[type]()
await write(tree, device, { uuid: UUID, time: 1_700_000_000, runtime: nodeRuntime, ...compress })
await device.close()
await store.close?.()
