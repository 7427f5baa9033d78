// Each compressed disk format beside the program that makes it of the same raw disk, in turns in the same run:
//   npx tsx --conditions=@bootable/source bench/containers.ts RAW [--runs 3] [--format qcow2\ zlib]...
// Sizes of what was made are printed below the table, for a program may save time by compressing less.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { findTool } from '../tooling/oracles.ts'
import { type Cost, measure } from './measure.ts'
import { measureInTurns, measureScript, printTable } from './report.ts'

/** A program and its arguments; `RAW` and `OUT` stand for the files. */
type Peer = readonly string[]

const CONVERT = ['qemu-img', 'convert', '-c', '-f', 'raw', '-O']
const PEERS: Readonly<Record<string, readonly Peer[]>> = {
  'qcow2 zlib': [[...CONVERT, 'qcow2', 'RAW', 'OUT']],
  'qcow2 zstd': [[...CONVERT, 'qcow2', '-o', 'compression_type=zstd', 'RAW', 'OUT']],
  vmdk: [[...CONVERT, 'vmdk', '-o', 'subformat=streamOptimized', 'RAW', 'OUT']],
  gz: [
    ['sh', '-c', 'gzip -c "$1" > "$2"', 'gzip', 'RAW', 'OUT'],
    ['sh', '-c', 'pigz -c "$1" > "$2"', 'pigz', 'RAW', 'OUT'],
  ],
  zst: [['zstd', '-q', '-f', '-T0', '-3', 'RAW', '-o', 'OUT']],
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '3' },
    format: { type: 'string', multiple: true, default: Object.keys(PEERS) },
  },
})
const raw = positionals[0]
if (raw === undefined) throw new Error('which disk? bench/containers.ts FILE')

const folder = mkdtempSync(join(tmpdir(), 'bootable-bench-'))
const pathOf = (name: string): string => join(folder, name.replaceAll(/\W/g, '-'))
try {
  const subjects = new Map<string, () => Promise<Cost>>()
  const units = new Map<string, string>()
  for (const format of values.format) {
    const ours = `our ${format}`
    subjects.set(ours, () => measureScript('./write-container.mjs', [format, raw, pathOf(ours)]))
    for (const [command = '', ...args] of PEERS[format] ?? []) {
      const program = command === 'sh' ? (args[2] as string) : command
      if (!findTool(program)) continue
      const name = `${program} (${format})`
      const files: Record<string, string> = { RAW: raw, OUT: pathOf(name) }
      const call = args.map((arg) => files[arg] ?? arg)
      subjects.set(name, () => measure(command, call))
      if (!units.has(ours)) units.set(ours, name)
      units.set(name, units.get(ours) as string)
    }
  }
  const results = await measureInTurns(Object.fromEntries(subjects), Number(values.runs))
  printTable(results, '× the program', (name) => units.get(name) ?? name)
  const sizes = [...subjects.keys()].map((name) => [name, statSync(pathOf(name)).size] as const)
  for (const [name, size] of sizes) console.log(`${name}: ${(size / 1024 ** 2).toFixed(1)} MiB`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
