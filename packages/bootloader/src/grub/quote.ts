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

/**
 * Refuses a kernel command line that GRUB would misread in a boot entry, which it takes for a script where
 * nothing can be quoted but blanks: `blscfg` pastes `options` into a menu entry, and our own menu runs it.
 *
 * @param options.variables whether `$name` stands for a variable, which `blscfg` menus are written for
 * @throws BootableError `BOOTLOADER_TEXT_INVALID`
 */
export function checkEntryArguments(
  commandLine: string,
  options: { readonly variables?: boolean } = {},
): void {
  for (const argument of splitKernelArguments(checkLine(commandLine, 'the kernel command line'))) {
    const text = options.variables ? argument.replaceAll(/\$\w+/g, '') : argument
    const bare = text.replaceAll(/"[^"]*"/g, '')
    const quotes = text.length - text.replaceAll('"', '').length
    // A `*` is a pattern for files where the word begins as a path of GRUB does.
    const isMisread =
      /[$\\']/.test(text) || /[;&|<>{}]/.test(bare) || /^(?:#|[*(].*\*|\*)/.test(text) || quotes % 2 > 0
    if (!isMisread) continue
    throw new BootableError<BootloaderErrorCode>(
      'BOOTLOADER_TEXT_INVALID',
      `GRUB would misread this kernel argument in a boot entry: ${argument}`,
      {
        details: { argument },
        hint: "GRUB takes boot entries for scripts: leave out ; & | < > { } $ \\ ' and a leading #",
      },
    )
  }
}

/**
 * Refuses a title that would swallow the lines after it.
 * @throws BootableError `BOOTLOADER_TEXT_INVALID`
 */
export function checkEntryTitle(title: string): void {
  if (!/['"{}]/.test(title)) return
  throw new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_TEXT_INVALID',
    `GRUB cannot read boot entries with this title: ${title}`,
    {
      details: { title },
      hint: 'change PRETTY_NAME in the os-release of the image: no quotes, no braces',
    },
  )
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
