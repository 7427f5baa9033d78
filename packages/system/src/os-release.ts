import type { FileTree } from '@bootable/tree'
import { readText } from './edit.ts'

/** `ID`, `VERSION_ID`, `PRETTY_NAME` and so on, as os-release(5) has them; empty where there is none. */
export async function readOsRelease(tree: FileTree): Promise<Readonly<Record<string, string>>> {
  const text = (await readText(tree, 'etc/os-release')) ?? (await readText(tree, 'usr/lib/os-release')) ?? ''
  return parseOsRelease(text)
}

/** Assignments in the shell's quoting, one a line; other lines are passed over, as os-release(5) asks. */
export function parseOsRelease(text: string): Readonly<Record<string, string>> {
  const values: [string, string][] = []
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line.trim())
    if (match) values.push([match[1] as string, unquote(match[2] as string)])
  }
  return Object.fromEntries(values)
}

function unquote(value: string): string {
  if (/^'[^']*'$/.test(value)) return value.slice(1, -1)
  // Between double quotes a backslash guards only these four (POSIX shell, 2.2.3).
  if (/^"(?:[^"\\]|\\.)*"$/.test(value)) return value.slice(1, -1).replace(/\\([$"\\`])/g, '$1')
  return value.replace(/\\(.)/g, '$1')
}
