import { styleText } from 'node:util'
import { BootableError } from '@bootable/bytes'
import { printable, printableLines } from './printable.ts'

/** An error as people read it: what happened, then what to do. Only what we did not expect shows a stack. */
export function formatError(error: unknown): string {
  const label = paint('red', 'error:')
  if (BootableError.is(error)) {
    const hint = error.hint === undefined ? '' : `${paint('dim', 'hint:')} ${printableLines(error.hint)}\n`
    return `${label} ${printableLines(error.message)}\n${hint}`
  }
  if (error instanceof Error && /^stopped by SIG/.test(error.message)) return `${label} ${error.message}\n`
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return `${label} ${printableLines(text)}\n`
}

/** A warning with its hint, on one line. */
export function formatWarning({ message, hint }: { message: string; hint?: string }): string {
  return `${paint('yellow', 'warning:')} ${printable(message + (hint === undefined ? '' : ` (${hint})`))}`
}

/** Colour where standard error is a terminal and `NO_COLOR` is not set (no-color.org). */
function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return process.stderr.isTTY && !process.env.NO_COLOR ? styleText(style, text) : text
}
