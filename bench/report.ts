import { type Cost, measure, median } from './measure.ts'

/** What is measured, by the name of its row. */
export type Subjects = Readonly<Record<string, () => Promise<Cost>>>

/** Runs all subjects in turn, that many times: a noisy neighbour hits them alike. */
export async function measureInTurns(subjects: Subjects, runs: number): Promise<Map<string, Cost[]>> {
  const results = new Map(Object.keys(subjects).map((name): [string, Cost[]] => [name, []]))
  for (let run = 0; run < runs; run++) {
    for (const [name, subject] of Object.entries(subjects)) results.get(name)?.push(await subject())
  }
  return results
}

/**
 * Prints a row for each subject.
 *
 * @param unit - heading of the last column
 * @param unitOf - the row in whose wall time the last column counts
 */
export function printTable(
  results: ReadonlyMap<string, readonly Cost[]>,
  unit: string,
  unitOf: (name: string) => string,
): void {
  console.log(`| what | wall s, median (min–max) | CPU s | peak MiB | ${unit} |\n|---|---|---|---|---|`)
  for (const [name, costs] of results) {
    const { wall, cpu } = median(costs)
    const walls = costs.map((cost) => cost.wall)
    const spread = `${Math.min(...walls).toFixed(2)}–${Math.max(...walls).toFixed(2)}`
    const peak = Math.max(...costs.map((cost) => cost.peak)) / 1024 ** 2
    const cells = [name, `${wall.toFixed(2)} (${spread})`, cpu.toFixed(2), peak > 0 ? peak.toFixed(0) : '']
    const times = wall / median(results.get(unitOf(name)) ?? []).wall
    console.log(`| ${cells.join(' | ')} | ${times.toFixed(2)} |`)
  }
}

/** Runs a script of this folder in a Node of its own. */
export function measureScript(script: string, args: readonly string[]): Promise<Cost> {
  return measure(process.execPath, [new URL(script, import.meta.url).pathname, ...args])
}
