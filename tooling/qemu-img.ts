import { join } from 'node:path'
import { newestOracle, runInOracleRoot } from './oracle-root.ts'
import { oracle, type RunResult, run, temporaryFolder } from './oracles.ts'

/** One of the installed versions of qemu-img, and a folder that it sees. */
export interface QemuImg {
  /** The path of a file of the folder, for this process. */
  at(name: string): string
  /** Standard output of a call that must succeed. Arguments `@name` are files of the folder. */
  call(...args: readonly string[]): Promise<string>
  /** Like {@link call}, for the tool qemu-io. */
  io(...args: readonly string[]): Promise<string>
  /** What `qemu-img info` says. */
  info(...args: readonly string[]): Promise<Record<string, unknown>>
}

const TIMEOUT = 300_000

/** Runs the tests once with this machine's qemu-img and once with the newest, each where it is installed. */
export function eachQemuImg(tests: (qemu: QemuImg) => void): void {
  oracle(['qemu-img', 'qemu-io'], () => {
    const folder = temporaryFolder()
    tests(driver(folder, folder, (tool, args) => run(tool, args, { timeout: TIMEOUT })))
  })
  newestOracle(['qemu-img', 'qemu-io'], () => {
    const folder = temporaryFolder()
    tests(driver(folder, '/work', (tool, args) => runInOracleRoot(folder, tool, args, { timeout: TIMEOUT })))
  })
}

function driver(
  folder: string,
  seen: string,
  start: (tool: string, args: readonly string[]) => Promise<RunResult>,
): QemuImg {
  const runOk = async (tool: string, args: readonly string[]): Promise<string> => {
    const named = args.map((arg) => arg.replace(/@([\w.-]+)/, (_, name: string) => join(seen, name)))
    const { status, stdout, stderr } = await start(tool, named)
    if (status === 0) return stdout
    throw new Error(`${tool} ${named.join(' ')} ended with status ${status}:\n${stdout}${stderr}`)
  }
  return {
    at: (name) => join(folder, name),
    call: (...args) => runOk('qemu-img', args),
    io: (...args) => runOk('qemu-io', args),
    info: async (...args) => JSON.parse(await runOk('qemu-img', ['info', '--output=json', ...args])),
  }
}
