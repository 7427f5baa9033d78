import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What one run of a program cost. */
export interface Cost {
  /** Seconds. */
  readonly wall: number
  /** Seconds of user and system time together. */
  readonly cpu: number
  /** Bytes of resident memory at the highest; 0 where it is not known. */
  readonly peak: number
}

const preload = new URL('./report-usage.mjs', import.meta.url).pathname

/** bash's own measure of what its children used. */
const TIMED = 'TIMEFORMAT="%U %S"; { time "$@" >/dev/null 2>&1; } 2>"$USAGE"'

/** Runs a program to its end. A Node program tells its peak memory as well. */
export async function measure(command: string, args: readonly string[]): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), 'bootable-bench-'))
  const report = join(folder, 'usage')
  const isNode = command === process.execPath
  const start = performance.now()
  const child = isNode
    ? spawn(command, ['--import', preload, ...args], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: environment(report),
      })
    : spawn('bash', ['-c', TIMED, 'bench', command, ...args], { stdio: 'ignore', env: environment(report) })
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const wall = (performance.now() - start) / 1000
  const text = readFileSync(report, 'utf8')
  rmSync(folder, { recursive: true })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
  if (isNode) return { wall, ...(JSON.parse(text) as Pick<Cost, 'cpu' | 'peak'>) }
  const [user = 0, system = 0] = text.trim().split(' ').map(Number)
  return { wall, cpu: user + system, peak: 0 }
}

function environment(report: string): NodeJS.ProcessEnv {
  return { ...process.env, USAGE: report }
}

/** The run with the median wall time: with a noisy neighbour the mean says little. */
export function median(costs: readonly Cost[]): Cost {
  return [...costs].sort((a, b) => a.wall - b.wall)[Math.floor(costs.length / 2)] as Cost
}
