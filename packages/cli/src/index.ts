import { CommanderError } from 'commander'
import { translateArguments } from './arguments.ts'
import { EXIT } from './exit.ts'
import { createProgram } from './program.ts'
import { formatError } from './render/message.ts'

export { EXIT } from './exit.ts'

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
  const handlers = Object.entries(SIGNALS).map(([name, status]) => {
    const handle = (): void => {
      interrupted = status
      controller.abort(new Error(`stopped by ${name}`))
    }
    process.once(name, handle)
    return { name, handle }
  })
  let broken: Error | undefined
  let status: number = EXIT.success
  watchStreams((error) => {
    broken = error
    controller.abort(error)
  })
  try {
    const program = createProgram(controller.signal, (other) => {
      status = other
    })
    await program.parseAsync(translateArguments(args), { from: 'user' })
    if (broken) throw broken
    return status
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.success : EXIT.usage
    process.stderr.write(formatError(error))
    return interrupted ?? EXIT.failure
  } finally {
    for (const { name, handle } of handlers) process.off(name, handle)
  }
}

let onStreamError: ((error: Error) => void) | undefined

/** The listeners stay, one for each stream: what was written last may fail after `main` has returned. */
function watchStreams(listener: (error: Error) => void): void {
  if (!onStreamError) {
    for (const stream of [process.stdout, process.stderr]) {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        // A reader that goes away (`bootable build … | head`) is no reason to stop: the disk is what counts.
        if (error.code !== 'EPIPE') onStreamError?.(error)
      })
    }
  }
  onStreamError = listener
}
