import { Command } from 'commander'
import { imageCopyCommands } from './image-copy.ts'
import { imageDiffCommand } from './image-diff.ts'
import { imageInspectCommand } from './image-inspect.ts'
import { imageTagsCommand } from './image-tags.ts'
import { imageVerifyCommand } from './image-verify.ts'

/** `bootable image …`: container images, without making a machine of them. */
export function imageCommand(signal: AbortSignal, setStatus: (status: number) => void): Command {
  const command = new Command('image').description('fetch, send, copy, compare and look at container images')
  const commands = [
    ...imageCopyCommands(signal),
    imageInspectCommand(signal),
    imageTagsCommand(signal),
    imageDiffCommand(signal),
    imageVerifyCommand(signal, setStatus),
  ]
  for (const each of commands) command.addCommand(each.exitOverride())
  return command
}
