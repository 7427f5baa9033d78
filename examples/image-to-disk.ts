// The whole way in one call: an image and a blueprint become a qcow2 disk, here in memory.
import { parseBlueprint } from '@bootable/blueprint'
import { formatSize } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { buildDisk, describePlan, memoryOutput, openImage } from '@bootable/core'
import { createSampleImage, SAMPLE_REFERENCE } from '../tooling/sample/sample-image.ts'

const { blueprint } = parseBlueprint({
  customizations: {
    user: [{ name: 'anna', password: 'correct horse battery staple' }],
    kernel: { append: 'quiet' },
  },
})
const image = await openImage(await createSampleImage(), SAMPLE_REFERENCE)
const disk = memoryOutput('qcow2')

const machine = await buildDisk({
  image,
  blueprint,
  outputs: [disk],
  size: 'minimum',
  runtime: nodeRuntime,
  onProgress: (event) => event.type === 'note' && console.log(event.message),
})

for (const { number, name, size, mountpoint } of describePlan(machine.plan)) {
  console.log(number, name, formatSize(size), mountpoint)
}
console.log(machine.commandLine.join(' '))
console.log(`${formatSize(machine.plan.size)} of disk in ${formatSize(disk.device().size)} of qcow2`)
