// `npm run demo [-- IMAGE]`: the main job from a clean clone. Without an image it uses the sample that
// tooling/sample makes from source, so no network is needed beyond the package registry.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { build, install, root, run } from './workspace.mjs'

install()
await build()

const output = join(root, 'output')
mkdirSync(output, { recursive: true })
const bootable = join(root, 'packages/cli/bin/bootable.js')
const tsx = [join(root, 'node_modules/tsx/dist/cli.mjs'), '--conditions=@bootable/source']

let image = process.argv[2]
const sample = image === undefined
if (sample) {
  image = `oci-archive:${join(output, 'sample.oci.tar')}`
  title('The sample: an image of a few layers with a kernel of our own making')
  run(process.execPath, [...tsx, join(root, 'tooling/sample/make.ts'), join(output, 'sample.oci.tar')])
}

title('The image')
run(process.execPath, [bootable, 'inspect', image])

title('The disk')
const types = ['--type', 'raw', '--type', 'qcow2']
const size = sample ? ['--size', 'minimum', '--no-cache'] : []
rmSync(join(output, 'image'), { recursive: true, force: true })
rmSync(join(output, 'qcow2'), { recursive: true, force: true })
run(process.execPath, [bootable, 'build', ...types, ...size, '--output', output, image])

const disk = join(output, 'qcow2/disk.qcow2')
title(`What it holds: ${relative(root, disk)}`)
run(process.execPath, [bootable, 'inspect', disk])

if (spawnSync('qemu-system-x86_64', ['--version']).status === 0) {
  title('The machine, under QEMU')
  run(process.execPath, [...tsx, join(root, 'tooling/boot.ts'), disk])
} else {
  console.log('\nqemu-system-x86_64 is not installed, so the disk is not booted here.')
}

function title(text) {
  console.log(`\n\x1b[1m${text}\x1b[0m`)
}
