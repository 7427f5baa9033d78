// Every step of the pipeline alone, with one of our own between two of theirs.
import { memoryDevice } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import {
  deployPlain,
  installBootloader,
  openDisk,
  openImage,
  planDisk,
  planMounts,
  unpackImage,
  writeDisk,
  writeMounts,
} from '@bootable/core'
import { memoryLayerCache } from '@bootable/oci'
import { createFile, putInode } from '@bootable/tree'
import { createSampleImage, SAMPLE_REFERENCE } from '../tooling/sample/sample-image.ts'

const runtime = nodeRuntime
const seed = 'example'
const clock = 1_700_000_000

const image = await openImage(await createSampleImage(), SAMPLE_REFERENCE)
const cache = memoryLayerCache()
const tree = await unpackImage(image, { cache, runtime })

// Ours: a tree is there to be edited.
putInode(tree, 'etc/motd', createFile('Made step by step.\n'))

const system = await deployPlain(tree, {
  architecture: image.platform.architecture,
  labels: image.config.value.config?.Labels ?? {},
  seed,
  clock,
})
const options = { seed, size: 'minimum' } as const
const mounts = planMounts(system, options)
await writeMounts(system, mounts, { clock })
await installBootloader(system, mounts, { clock: { seconds: clock, nanoseconds: 0 } })

const plan = planDisk(system, options)
const device = memoryDevice(plan.size)
await writeDisk(plan, system, device, { runtime })
await cache.close()

const disk = await openDisk(device)
console.log(
  disk.partitions.map(({ number, filesystem }) => `${number}: ${filesystem?.type ?? 'no filesystem'}`),
)
