// Writes one raw disk in another format:
//   write-container.mjs FORMAT RAW OUT
import { streamSparse, zstdStream } from '@bootable/bytes'
import { createFileDevice, nodeRuntime, openFileSource } from '@bootable/bytes/node'
import { writeQcow2 } from '@bootable/disk/qcow2'
import { writeVmdk } from '@bootable/disk/vmdk'

const [format, raw, out] = process.argv.slice(2)
const runtime = nodeRuntime

/** Writes a stream from the start of a file on. */
async function append(device, stream) {
  let position = 0
  for await (const chunk of stream) {
    await device.write(position, chunk)
    position += chunk.length
  }
}

const WRITERS = {
  'qcow2 zlib': (source, device) => writeQcow2(source, device, { runtime, compression: 'zlib' }),
  'qcow2 zstd': (source, device) => writeQcow2(source, device, { runtime, compression: 'zstd' }),
  vmdk: (source, device) => writeVmdk(source, device, { runtime, seed: 'bench' }),
  gz: (source, device) => append(device, runtime.gzip(streamSparse(source))),
  zst: (source, device) => append(device, zstdStream(streamSparse(source), { runtime })),
}

const source = await openFileSource(raw)
const device = await createFileDevice(out)
await WRITERS[format](source, device)
await device.close()
await source.close()
