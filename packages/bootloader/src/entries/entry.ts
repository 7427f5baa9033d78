import { BootableError } from '@bootable/bytes'
import type { BootloaderErrorCode } from '../errors.ts'

/**
 * A boot entry of type 1 (UAPI group, Boot Loader Specification). Paths are as the boot loader sees
 * them: from the root of the filesystem that holds them.
 */
export interface BootEntry {
  /** Name of the file without `.conf`. */
  readonly id: string
  readonly title?: string
  readonly version?: string
  readonly linux?: string
  readonly initrd: readonly string[]
  /** The kernel command line: all `options` lines, joined by blanks. */
  readonly options: string
  /** Every other key with its values in the order of the file: `sort-key`, `machine-id`, `grub_users` … */
  readonly other: Readonly<Record<string, readonly string[]>>
}

/**
 * An entry as text. One `options` line and no blank one: Red Hat's `blscfg` takes only the first and
 * stops reading at an empty line.
 * @throws BootableError `BOOTLOADER_TEXT_INVALID` on control characters
 */
export function formatBootEntry(entry: BootEntry): string {
  const lines: [key: string, value: string | undefined][] = [
    ['title', entry.title],
    ['version', entry.version],
    ['options', entry.options],
    ['linux', entry.linux],
    ...entry.initrd.map((path): [string, string] => ['initrd', path]),
    ...Object.entries(entry.other).flatMap(([key, values]) =>
      values.map((value): [string, string] => [key, value]),
    ),
  ]
  const given = lines.filter(([, value]) => value !== undefined && value !== '')
  return given.map(([key, value]) => `${key} ${checkLine(value as string, key)}\n`).join('')
}

/** Reads an entry. Unknown keys are kept, empty lines and comments skipped; nothing in it is an error. */
export function parseBootEntry(id: string, text: string): BootEntry {
  const values = new Map<string, string[]>()
  for (const line of text.split(/\r?\n/)) {
    const [, key, value = ''] = /^\s*([^\s#]\S*)(?:\s+(.*\S))?\s*$/.exec(line) ?? []
    if (key === undefined) continue
    const list = values.get(key)
    if (list) list.push(value)
    else values.set(key, [value])
  }
  const take = (key: string): string[] => {
    const list = values.get(key) ?? []
    values.delete(key)
    return list
  }
  const [title, version, linux] = [take('title'), take('version'), take('linux')].map((list) => list.at(-1))
  return {
    id,
    ...(title !== undefined && { title }),
    ...(version !== undefined && { version }),
    ...(linux !== undefined && { linux }),
    initrd: take('initrd'),
    options: take('options').join(' '),
    other: Object.fromEntries(values),
  }
}

/**
 * Refuses text that cannot stand in one line of a configuration file.
 * @param what names it in the message
 */
export function checkLine(text: string, what: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (!/[\x00-\x1f\x7f]/.test(text)) return text
  throw new BootableError<BootloaderErrorCode>(
    'BOOTLOADER_TEXT_INVALID',
    `control characters in ${what}: ${JSON.stringify(text)}`,
    { details: { what, text }, hint: 'boot loaders read their configuration by lines' },
  )
}
