import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** A program that runs JavaScript: Node itself, or what npm packages carry. */
export type RuntimeName = 'node' | 'node22' | 'node24' | 'deno' | 'bun'

/** How a runtime is started; the path of a module and its arguments come behind. */
export interface JavaScriptRuntime {
  readonly command: string
  readonly args: readonly string[]
}

/** Where the packages have their program, below `node_modules`, and what it wants to be told. */
const PACKAGED: Readonly<Record<Exclude<RuntimeName, 'node'>, { path: string; args: readonly string[] }>> = {
  node22: { path: 'node22/bin/node', args: [] },
  node24: { path: 'node24/bin/node', args: [] },
  deno: { path: 'deno/deno', args: ['run', '--no-prompt', '--allow-all'] },
  bun: { path: 'bun/bin/bun', args: ['run'] },
}

/**
 * A JavaScript runtime; others than this one are looked for below the folder that `BOOTABLE_RUNTIMES` names.
 * Where it is missing a line says so; where `CI` is set it is an error.
 */
export function findRuntime(name: RuntimeName): JavaScriptRuntime | undefined {
  if (name === 'node') return { command: process.execPath, args: [] }
  const folder = process.env.BOOTABLE_RUNTIMES
  const { path, args } = PACKAGED[name]
  const command = folder === undefined ? undefined : join(folder, 'node_modules', path)
  if (command !== undefined && existsSync(command)) return { command, args }
  const message = `the runtime ${name} is missing (BOOTABLE_RUNTIMES=${folder ?? 'unset'})`
  if (process.env.CI) throw new Error(message)
  console.warn(`tests skipped: ${message}`)
  return undefined
}
