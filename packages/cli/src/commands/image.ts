import { Command } from 'commander'
import { imageCopyCommands } from './image-copy.ts'
import { imageInspectCommand } from './image-inspect.ts'
import { imageTagsCommand } from './image-tags.ts'

/** `bootable image …`: container images, without making a machine of them. */
export function imageCommand(signal: AbortSignal): Command {
  const command = new Command('image').description('fetch, send, copy and look at container images')
  for (const each of [...imageCopyCommands(signal), imageInspectCommand(signal), imageTagsCommand(signal)]) {
    command.addCommand(each.exitOverride())
  }
  return command
}
