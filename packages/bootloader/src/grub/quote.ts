import { BootableError } from '@bootable/bytes'
import { splitKernelArguments } from '@bootable/system'
import { checkLine } from '../entries/entry.ts'
import type { BootloaderErrorCode } from '../errors.ts'

/**
 * A text as one word of GRUB's script language. Between single quotes everything stands for itself,
 * so a single quote is written outside of them (GRUB manual, "Quoting").
 */
export function quoteGrubWord(text: string): string {
  if (/^[\w.,:=/@%+-]+$/.test(text)) return text
  return `'${checkLine(text, 'a word of grub.cfg').replaceAll("'", "'\\''")}'`
}

/**
 * A kernel command line as words of GRUB's `linux` command.
 *
 * GRUB parses the words and then writes a command line of its own from them: a word with a blank gets
 * double quotes around all of it (which the kernel reads like quotes around the value), and each quote
 * or backslash gets a backslash in front that no kernel takes away again.
 *
 * @throws BootableError `BOOTLOADER_TEXT_INVALID` on an argument that would reach the kernel changed
 */
export function quoteGrubArguments(commandLine: string): string {
  return splitKernelArguments(checkLine(commandLine, 'the kernel command line')).map(quoteArgument).join(' ')
}

function quoteArgument(argument: string): string {
  const value = argument.replaceAll('"', '')
  if (!/['\\]/.test(value)) return quoteGrubWord(value)
  throw new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_TEXT_INVALID',
    `GRUB cannot hand this kernel argument over unchanged: ${argument}`,
    {
      details: { argument },
      hint: 'GRUB puts a backslash before quotes and backslashes; leave them out or use systemd-boot',
    },
  )
}
