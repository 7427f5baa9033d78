import { Command } from 'commander'
import { buildCommand } from './commands/build.ts'
import { checkUpdateCommand } from './commands/check-update.ts'
import { convertCommand } from './commands/convert.ts'
import { imageCommand } from './commands/image.ts'
import { inspectCommand } from './commands/inspect.ts'
import { planCommand } from './commands/plan.ts'
import { version } from './version.ts'

/**
 * The command line as a whole.
 * @param signal ends, when cancelled, whatever is under way
 * @param setStatus is called where success has an exit status of its own
 */
export function createProgram(signal: AbortSignal, setStatus: (status: number) => void): Command {
  const program = new Command('bootable')
    .description('Turns a bootable container image into a disk that boots.')
    .version(version, '-V, --version')
    .showHelpAfterError('(bootable --help shows what there is)')
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(text) })
  const commands = [
    buildCommand(signal),
    planCommand(signal),
    inspectCommand(signal),
    convertCommand(signal),
    imageCommand(signal, setStatus),
    checkUpdateCommand(signal, setStatus),
  ]
  for (const command of commands) {
    program.addCommand(command.exitOverride())
  }
  program
    .command('version')
    .description('print the version')
    .action(() => {
      process.stdout.write(`${version}\n`)
    })
  return program
}
