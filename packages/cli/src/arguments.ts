const COMMANDS = ['build', 'plan', 'inspect', 'convert', 'check-update', 'image', 'version', 'help']

/** Flags without a value that bootc-image-builder also takes as `--flag=true`, in any spelling of Go's. */
const SWITCH = /^--(use-librepo|local|in-vm|tls-verify|no-default-kernel-args|secure-boot|verbose)(?:=(.*))?$/
const TRUE = /^(1|t|true)$/i
const FALSE = /^(0|f|false)$/i

/**
 * The command line of bootc-image-builder in the words of ours: `IMAGE` alone is `build IMAGE`, and switches
 * have no values. Everything else stays as it is.
 */
export function translateArguments(args: readonly string[]): string[] {
  const end = args.indexOf('--')
  const flags = end < 0 ? args : args.slice(0, end)
  return withDefaultCommand([...flags.flatMap(translateSwitch), ...args.slice(flags.length)])
}

function withDefaultCommand(args: readonly string[]): string[] {
  const first = args.find((argument) => !argument.startsWith('-'))
  const asksForHelp = args.some((argument) => ['-h', '--help', '-V', '--version'].includes(argument))
  if (args.length === 0 || (first === undefined && asksForHelp)) return [...args]
  return COMMANDS.includes(args[0] ?? '') ? [...args] : ['build', ...args]
}

function translateSwitch(argument: string): string[] {
  const [, name, value = 'true'] = SWITCH.exec(argument) ?? []
  if (name === undefined || !(TRUE.test(value) || FALSE.test(value))) return [argument]
  // Verifying is what happens anyway; only its opposite is a flag here.
  if (name === 'tls-verify') return TRUE.test(value) ? [] : ['--no-tls-verify']
  return TRUE.test(value) ? [`--${name}`] : []
}
