import { CommanderError } from 'commander'
import { createProgram } from './program.ts'
import { formatError } from './render/message.ts'

/** How the command ends: the number that a shell sees. */
export const EXIT = { success: 0, failure: 1, usage: 2, interrupted: 130, terminated: 143 } as const

const SIGNALS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const

/**
 * Runs the `bootable` command.
 *
 * The first SIGINT or SIGTERM cancels the work, which leaves nothing half-made; a second one ends the
 * process at once.
 *
 * @param args what follows the program's name
 * @returns the exit status
 */
export async function main(args: readonly string[]): Promise<number> {
  const controller = new AbortController()
  let interrupted: number | undefined
  for (const [name, status] of Object.entries(SIGNALS)) {
    process.once(name as keyof typeof SIGNALS, () => {
      interrupted = status
      controller.abort(new Error(`stopped by ${name}`))
    })
  }
  // A reader that goes away (`bootable plan | head`) is not an error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.success)
    throw error
  })
  try {
    await createProgram(controller.signal).parseAsync(withDefaultCommand(args), { from: 'user' })
    return EXIT.success
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.success : EXIT.usage
    process.stderr.write(formatError(error))
    return interrupted ?? EXIT.failure
  }
}

const COMMANDS = ['build', 'plan', 'inspect', 'version', 'help']

/** `bootable IMAGE` is `bootable build IMAGE`, as bootc-image-builder has it. */
function withDefaultCommand(args: readonly string[]): string[] {
  const first = args.find((argument) => !argument.startsWith('-'))
  const asksForHelp = args.some((argument) => ['-h', '--help', '-V', '--version'].includes(argument))
  if (args.length === 0 || (first === undefined && asksForHelp)) return [...args]
  return COMMANDS.includes(args[0] ?? '') ? [...args] : ['build', ...args]
}
