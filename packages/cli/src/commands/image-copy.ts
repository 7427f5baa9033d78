import { Command, Option } from 'commander'
import { formatCopyPlan } from '../render/copy-plan.ts'
import { createRenderer, PROGRESS_STYLES, type ProgressStyle } from '../render/progress.ts'
import { addPolicyFlags, type PolicyFlags, readPolicyFlags } from './policy-options.ts'

interface CopyFlags extends PolicyFlags {
  readonly platform?: string
  readonly allPlatforms?: true
  readonly referrers?: true
  readonly dryRun?: true
  readonly progress: ProgressStyle
  readonly tlsVerify: boolean
}

const PLACES = 'oci:folder[:name], oci-archive:file[:name] or docker-archive:file[:name:tag]'

/** `bootable image pull`, `push` and `copy`: one deed, under the names by which people look for it. */
export function imageCopyCommands(signal: AbortSignal): readonly Command[] {
  return [
    copyCommand(signal, {
      name: 'pull',
      description: 'fetch the image for one platform from a registry',
      from: 'docker://host/name:tag, or any other address',
      to: PLACES,
      // As `build` does it: nobody who wants a machine wants it for every processor.
      single: true,
    }),
    copyCommand(signal, {
      name: 'push',
      description: 'send an image to a registry, for all platforms that it has',
      from: PLACES,
      to: 'docker://host/name:tag',
    }),
    copyCommand(signal, {
      name: 'copy',
      description: 'copy an image from anywhere to anywhere, for all platforms that it has',
      from: 'any address',
      to: 'any address',
    }),
  ]
}

interface CopyKind {
  readonly name: string
  readonly description: string
  readonly from: string
  readonly to: string
  /** Whether one image of an index is taken where no flag says it. */
  readonly single?: true
}

function copyCommand(signal: AbortSignal, kind: CopyKind): Command {
  const command = new Command(kind.name)
    .description(kind.description)
    .argument('<image>', kind.from)
    .argument('<target>', kind.to)
    .option('--platform <platform>', 'the image for it alone, such as linux/arm64')
  if (kind.single) {
    const all = new Option('--all-platforms', 'everything that the name stands for')
    command.addOption(all.conflicts('platform'))
  }
  return addPolicyFlags(command)
    .option('--referrers', 'take along what refers to it: signatures, bills of materials')
    .option('--dry-run', 'say what would move, and move nothing')
    .addOption(
      new Option('--progress <style>', 'how to show progress').choices(PROGRESS_STYLES).default('auto'),
    )
    .option('--no-tls-verify', 'allow plain http and any certificate')
    .action(async (image: string, target: string, flags: CopyFlags) => {
      const { copyImageFiles, planImageCopy } = await import('@bootable/core/node')
      const { platform, allPlatforms, referrers = false } = flags
      const policy = await readPolicyFlags(flags)
      const render = createRenderer(flags.progress)
      const options = {
        signal,
        onProgress: render.event,
        referrers,
        single: platform !== undefined || (kind.single === true && !allPlatforms),
        ...(platform !== undefined && { platform }),
        ...(policy && { policy }),
        ...(!flags.tlsVerify && { registry: { insecure: true } }),
      }
      const isJson = flags.progress === 'json'
      if (flags.dryRun) {
        const planned = await planImageCopy(image, target, options).finally(render.finish)
        process.stdout.write(
          isJson ? `${JSON.stringify({ type: 'result', ...planned })}\n` : formatCopyPlan(planned),
        )
        return
      }
      const copied = await copyImageFiles(image, target, options).finally(render.finish)
      const line = isJson
        ? JSON.stringify({ type: 'result', ...copied })
        : `${copied.target}\t${copied.descriptor.digest}`
      process.stdout.write(`${line}\n`)
    })
}
