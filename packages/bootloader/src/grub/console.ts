import { splitKernelArguments } from '@bootable/system'

/** Where GRUB shows its menu and takes keys from. Names are those of GRUB's terminals. */
export interface GrubConsole {
  /** Such as `serial`, `console`. @defaultValue GRUB's own choice */
  readonly terminalInput?: readonly string[]
  /** Such as `serial`, `console`, `gfxterm`. @defaultValue GRUB's own choice */
  readonly terminalOutput?: readonly string[]
  /** The whole command that prepares a serial port: `serial --unit=0 --speed=115200`. */
  readonly serial?: string
}

/** The file beside `grub.cfg` that osbuild writes, and that bootupd's `grub.cfg` reads. */
export const CONSOLE_FILE = 'console.cfg'

/** The commands as osbuild writes them (`org.osbuild.grub2.d`): the port before the terminal on it. */
export function formatGrubConsole({ terminalInput = [], terminalOutput = [], serial }: GrubConsole): string {
  const commands = [
    ...(serial ? [serial] : []),
    ...(terminalInput.length > 0 ? [`terminal_input ${terminalInput.join(' ')}`] : []),
    ...(terminalOutput.length > 0 ? [`terminal_output ${terminalOutput.join(' ')}`] : []),
  ]
  return commands.map((command) => `${command}\n`).join('')
}

/**
 * The part of our own `grub.cfg` that chooses terminals: what somebody has asked for lies in a file of its own.
 * Else the menu goes to the serial port that the kernel was told to use, but only under BIOS: UEFI firmware
 * mirrors its console there by itself, and everything would appear twice.
 *
 * @param options the kernel command line
 */
export function formatConsoleChoice(options: string, console: GrubConsole | undefined): string {
  if (console) return `\nsource $prefix/${CONSOLE_FILE}\n`
  for (const argument of splitKernelArguments(options)) {
    const [, unit, speed = '115200'] = /^console=ttyS(\d+)(?:,(\d+))?/.exec(argument) ?? []
    if (unit === undefined) continue
    return `
if [ "$grub_platform" = pc ]; then
  if serial --unit=${unit} --speed=${speed}; then
    terminal_input console serial
    terminal_output console serial
  fi
fi
`
  }
  return ''
}
