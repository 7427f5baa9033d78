import { Command } from 'commander'
import { buildCommand } from './commands/build.ts'
import { inspectCommand } from './commands/inspect.ts'
import { planCommand } from './commands/plan.ts'
import { version } from './version.ts'

/** The command line as a whole. A cancelled `signal` ends whatever is under way. */
export function createProgram(signal: AbortSignal): Command {
  const program = new Command('bootable')
    .description('Turns a bootable container image into a disk that boots.')
    .version(version, '-V, --version')
    .showHelpAfterError('(bootable --help shows what there is)')
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(text) })
  for (const command of [buildCommand(signal), planCommand(signal), inspectCommand(signal)]) {
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
