import { formatConsoleChoice, type GrubConsole } from './console.ts'
import { quoteGrubArguments, quoteGrubWord } from './quote.ts'

/** One kernel in a menu. */
export interface BootMenuItem {
  readonly id: string
  readonly title: string
  /** Paths from the root of the filesystem that holds them. */
  readonly linux: string
  readonly initrd: readonly string[]
  /** The kernel command line. */
  readonly options: string
}

/** What the menu of {@link formatGrubConfig} shows. */
export interface GrubMenu {
  /** UUID of the filesystem that holds the kernel. */
  readonly uuid: string
  /** Seconds before the first entry starts by itself. */
  readonly timeout: number
  readonly entry: BootMenuItem
  /** Terminals that were asked for; they are named in a file of their own. */
  readonly console?: GrubConsole
}

/**
 * The main `grub.cfg`: a menu in plain GRUB script, which every GRUB since 2.00 runs, with `blscfg` or
 * without.
 */
export function formatGrubConfig({ uuid, timeout, entry, console }: GrubMenu): string {
  return `\
# The boot menu of this disk. Boot entries for tools that read them: loader/entries.
set default=0
set timeout=${timeout}
${formatConsoleChoice(entry.options, console)}
${formatMenuEntry(uuid, entry)}`
}

/** @param uuid of the filesystem that holds the files */
export function formatMenuEntry(uuid: string, { id, title, linux, initrd, options }: BootMenuItem): string {
  const files = initrd.map((path) => ` ${quoteGrubWord(path)}`).join('')
  return `\
menuentry ${quoteGrubWord(title)} --id ${quoteGrubWord(id)} {
  search --no-floppy --fs-uuid --set=root ${uuid}
  linux ${quoteGrubWord(linux)} ${quoteGrubArguments(options)}
${files && `  initrd${files}\n`}}
`
}

/**
 * The `grub.cfg` on the EFI system partition: finds the filesystem with `/boot` and goes on there.
 *
 * @param directory GRUB's directory on that filesystem, such as `/boot/grub2`
 */
export function formatGrubStub(uuid: string, directory: string): string {
  return `\
search --no-floppy --fs-uuid --set=root ${uuid}
set prefix=($root)${quoteGrubWord(directory)}
configfile $prefix/grub.cfg
`
}

/** bootupd's record of where `/boot` is; its own `grub.cfg` sources it when it replaces ours. */
export function formatBootUuid(uuid: string): string {
  return `set BOOT_UUID="${uuid}"\n`
}
