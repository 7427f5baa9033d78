import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from 'vitest'
import { type RunOptions, type RunResult, run } from './oracles.ts'

/**
 * A Debian tree whose tools are newer than this machine's (composefs, erofs-utils, ostree, policycoreutils):
 * `BOOTABLE_ORACLE_ROOT` names it, `oracle-root.sh` of `BOOTABLE_FIXTURE_SCRIPTS` makes it and enters it.
 */
interface OracleRoot {
  readonly script: string
  readonly root: string
}

function findOracleRoot(): OracleRoot | undefined {
  const { BOOTABLE_ORACLE_ROOT: root, BOOTABLE_FIXTURE_SCRIPTS: scripts } = process.env
  if (root === undefined || scripts === undefined) return undefined
  return { root, script: join(scripts, 'oracle-root.sh') }
}

/**
 * Whether {@link runInOracleRoot} can run all these programs: the tree is there and has them, and this
 * process may change its root. As `requireTool`, an error where `CI` is set.
 */
export function requireOracleRoot(...tools: string[]): boolean {
  const reason = whyNot(tools)
  if (reason === undefined) return true
  if (process.env.CI) throw new Error(reason)
  console.warn(`tests skipped: ${reason}`)
  return false
}

function whyNot(tools: readonly string[]): string | undefined {
  const found = findOracleRoot()
  if (!found) return 'BOOTABLE_ORACLE_ROOT and BOOTABLE_FIXTURE_SCRIPTS are not both set'
  if (!existsSync(found.script)) return `there is no ${found.script}`
  if (process.getuid?.() !== 0) return `only root may enter ${found.root}`
  const missing = tools.filter(
    (tool) => !['usr/bin', 'usr/sbin'].some((folder) => existsSync(join(found.root, folder, tool))),
  )
  return missing.length === 0 ? undefined : `not in ${found.root}: ${missing.join(', ')}`
}

/** A `describe` block that runs only where the tools of the oracle tree that judge in it can be run. */
export function newestOracle(tools: string | readonly string[], tests: () => void): void {
  const names = typeof tools === 'string' ? [tools] : tools
  describe.runIf(requireOracleRoot(...names))(`newest ${names.join(', ')}`, tests)
}

/**
 * Runs a program of the oracle tree, which sees `folder` as `/work`; its environment is empty and it starts
 * in `/`. Any exit status is a result, not an error.
 */
export function runInOracleRoot(
  folder: string,
  command: string,
  args: readonly string[],
  options: Omit<RunOptions, 'cwd' | 'env'> = {},
): Promise<RunResult> {
  const found = findOracleRoot()
  if (!found) throw new Error('ask requireOracleRoot first')
  return run('bash', [found.script, 'run', found.root, folder, command, ...args], options)
}

/** Like {@link runInOracleRoot}, but a status other than 0 is an error that shows what the program said. */
export async function runOkInOracleRoot(
  folder: string,
  command: string,
  args: readonly string[],
  options: Omit<RunOptions, 'cwd' | 'env'> = {},
): Promise<RunResult> {
  const result = await runInOracleRoot(folder, command, args, options)
  if (result.status === 0) return result
  const call = [command, ...args].join(' ')
  throw new Error(`${call} ended with status ${result.status}:\n${result.stdout}${result.stderr}`)
}
