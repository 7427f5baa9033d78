import { Command } from 'commander'
import { formatFileChange, formatImageDifference } from '../render/image-diff.ts'

interface DiffFlags {
  readonly platform?: string
  readonly files: boolean
  readonly times: boolean
  readonly json?: true
  readonly tlsVerify: boolean
}

/** `bootable image diff`: layers, configuration and files of two images, side by side. */
export function imageDiffCommand(signal: AbortSignal): Command {
  return new Command('diff')
    .description('show what differs between two images, and what an update from one to the other fetches')
    .argument('<before>', 'as for build')
    .argument('<after>', 'as for build')
    .option('--platform <platform>', 'the images for it, such as linux/arm64')
    .option('--no-files', 'compare layers and configurations alone, which fetches no layer')
    .option('--no-times', 'do not compare modification times')
    .option('--json', 'print one JSON object, and then one a line for each file')
    .option('--no-tls-verify', 'allow plain http and any certificate')
    .action(async (before: string, after: string, flags: DiffFlags) => {
      const { diffImageSources } = await import('@bootable/core/node')
      const { platform, json, tlsVerify, times } = flags
      const { difference, files, close } = await diffImageSources(before, after, {
        signal,
        times,
        ...(platform !== undefined && { platform }),
        ...(!tlsVerify && { registry: { insecure: true } }),
      })
      try {
        process.stdout.write(json ? `${JSON.stringify(difference)}\n` : formatImageDifference(difference))
        if (!flags.files) return
        for await (const change of files()) {
          process.stdout.write(json ? `${JSON.stringify(change)}\n` : formatFileChange(change))
        }
      } finally {
        await close()
      }
    })
}
