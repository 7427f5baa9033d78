/**
 * The words of a kernel command line. Blanks separate them, except between double quotes, which belong
 * to the word (`next_arg()` of the kernel; there is no escape).
 */
export function splitArguments(commandLine: string): string[] {
  return commandLine.match(/(?:"[^"]*(?:"|$)|[^\s"])+/g) ?? []
}
