import { Command, Option } from 'commander'
import { createRenderer, PROGRESS_STYLES, type ProgressStyle } from '../render/progress.ts'
import { qcow2CompressionOption, TYPES } from './format-options.ts'

interface ConvertFlags {
  readonly type?: string
  readonly qcow2Compression?: 'zlib' | 'zstd' | 'none'
  readonly arch?: string
  readonly seed?: string
  readonly progress: ProgressStyle
  readonly tlsVerify: boolean
}

/** `bootable convert`: a disk from one format to another. */
export function convertCommand(signal: AbortSignal): Command {
  return new Command('convert')
    .description('write a disk in another format')
    .argument('<input>', 'a disk file of any format, also compressed; a containerdisk or artifact')
    .argument(
      '<output>',
      'a file; for a containerdisk or artifact docker://…, oci:folder:name or oci-archive:file',
    )
    .option('--type <type>', `what to write: ${TYPES}; else the ending of the file says it`)
    .addOption(qcow2CompressionOption())
    .option('--arch <name>', 'architecture of the machine, which a containerdisk says, such as arm64')
    .option('--seed <text>', "seed of the ids of the new file; else the disk's own uuid")
    .addOption(
      new Option('--progress <style>', 'how to show progress').choices(PROGRESS_STYLES).default('auto'),
    )
    .option('--no-tls-verify', 'allow plain http and any certificate')
    .action(async (input: string, output: string, flags: ConvertFlags) => {
      const { convertDiskFile } = await import('@bootable/core/node')
      const { type, qcow2Compression, arch, seed, progress, tlsVerify } = flags
      const render = createRenderer(progress)
      const converted = await convertDiskFile(input, output, {
        signal,
        onProgress: render.event,
        ...(type !== undefined && { type }),
        ...(qcow2Compression && { qcow2Compression }),
        ...(arch !== undefined && { architecture: arch }),
        ...(seed !== undefined && { seed }),
        ...(!tlsVerify && { registry: { insecure: true } }),
      }).finally(render.finish)
      const line =
        progress === 'json' ? JSON.stringify({ type: 'result', output: converted }) : converted.path
      process.stdout.write(`${line}\n`)
    })
}
