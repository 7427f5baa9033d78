import { join } from 'node:path'
import { utf8 } from '@bootable/bytes'
import type { BuiltDisk } from '@bootable/core/node'
import { Command, Option } from 'commander'
import { describeMachine } from '../render/machine.ts'
import { createRenderer, PROGRESS_STYLES, type ProgressStyle } from '../render/progress.ts'
import { qcow2CompressionOption, TYPES } from './format-options.ts'
import { addMachineFlags, type MachineFlags, readMachineFlags } from './machine-options.ts'

interface BuildFlags extends MachineFlags {
  readonly type?: readonly string[]
  readonly output: string
  readonly destination?: string
  readonly qcow2Compression?: 'zlib' | 'zstd' | 'none'
  readonly progress: ProgressStyle
  readonly verbose?: true
}

/** Flags of bootc-image-builder that steer what is not there here: taken, and said to mean nothing. */
const WITHOUT_MEANING = [
  '--build-container <image>',
  '--log-level <level>',
  '--store <folder>',
  '--rpmmd <folder>',
  '--local',
  '--use-librepo',
  '--in-vm',
  '--chown <owner>',
]

/** `bootable build`: an image becomes files of disks. */
export function buildCommand(signal: AbortSignal): Command {
  const command = new Command('build')
    .description('write disks from an image (the default command)')
    .argument(
      '<image>',
      'docker://host/name:tag, oci:folder, oci-archive:file, docker-archive:file, containers-storage:name or docker-daemon:name',
    )
    .addOption(
      new Option('--type <type>', `what to write: ${TYPES}; may be given several times`)
        .argParser((value, previous: readonly string[] = []) => [...previous, value])
        .default(undefined, 'qcow2'),
    )
    .option('--output <folder>', 'folder below which the disks appear', '.')
    .option(
      '--destination <address>',
      'where a containerdisk or artifact goes: docker://host/name:tag, oci:folder:name, oci-archive:file',
    )
    .addOption(qcow2CompressionOption())
    .addOption(
      new Option('--progress <style>', 'how to show progress').choices(PROGRESS_STYLES).default('auto'),
    )
    .option('-v, --verbose', 'the same as --progress verbose')
  addMachineFlags(command)
  for (const flag of WITHOUT_MEANING) command.addOption(new Option(flag).hideHelp())

  return command.action(async (image: string, flags: BuildFlags & Record<string, unknown>) => {
    const { buildDiskFiles } = await import('@bootable/core/node')
    const style = flags.verbose ? 'verbose' : flags.progress
    const render = createRenderer(style)
    const { options, warnings } = await readMachineFlags(image, flags)
    for (const { key, message } of warnings) render.event({ type: 'warning', message: `${key} ${message}` })
    for (const flag of WITHOUT_MEANING) {
      const name = (flag.split(' ')[0] as string).slice(2)
      if (flags[camelCase(name)] !== undefined) {
        render.event({ type: 'warning', message: `--${name} has no meaning here and is ignored` })
      }
    }
    const types = flags.type ?? ['qcow2']
    try {
      const built = await buildDiskFiles({
        ...options,
        types,
        output: flags.output,
        ...(flags.destination !== undefined && { destination: flags.destination }),
        ...(flags.qcow2Compression && { qcow2Compression: flags.qcow2Compression }),
        signal,
        onProgress: render.event,
      })
      await writeManifest(built, types, flags.output)
      render.finish()
      if (style === 'json') {
        process.stdout.write(`${JSON.stringify({ type: 'result', outputs: built.outputs })}\n`)
      } else for (const { path } of built.outputs) process.stdout.write(`${path}\n`)
    } catch (error) {
      render.finish()
      throw error
    }
  })
}

/** What was built, beside it, under the name that bootc-image-builder gives its own manifest. */
async function writeManifest(built: BuiltDisk, types: readonly string[], output: string): Promise<void> {
  const { writeOutputFile } = await import('@bootable/bytes/node')
  const text = `${JSON.stringify(describeMachine(built), undefined, 2)}\n`
  await writeOutputFile(join(output, `manifest-${types.join('-')}.json`), (file) => file.write(0, utf8(text)))
}

function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
}
