// Prints figures of the whole way beside a floor and a peer, measured in turns in the same run:
//   npm run bench -- FIXTURE [--layout ostree|plain] [--runs 3] [--baseline SCRIPT]
// FIXTURE is a folder with `image.oci.tar` and `oci/`; the baseline is a shell pipeline that takes
// `--archive FILE --out FOLDER --layout LAYOUT --runs 1 --direct`, writes `stages.jsonl`, and needs root.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Cost, measure } from './measure.ts'
import { measureInTurns, measureScript, printTable, type Subjects } from './report.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    layout: { type: 'string', default: 'ostree' },
    runs: { type: 'string', default: '3' },
    baseline: { type: 'string' },
  },
})
const { layout } = values
const fixture = positionals[0]
if (fixture === undefined) throw new Error('which fixture? npm run bench -- FOLDER')

const bootable = new URL('../packages/cli/bin/bootable.js', import.meta.url).pathname
const image = join(fixture, 'image.oci.tar')
const folder = mkdtempSync(join(tmpdir(), 'bootable-bench-'))
const cache = join(folder, 'cache')

function build(type: string, layers: readonly string[]): Promise<Cost> {
  const flags = ['build', '--layout', layout, '--type', type, ...layers, '--output', join(folder, type)]
  return measure(process.execPath, [bootable, ...flags, `oci-archive:${image}`])
}

const subjects: Subjects = {
  floor: () => measureScript('./floor.mjs', [join(fixture, 'oci')]),
  'raw, cold': () => build('raw', ['--no-cache']),
  'raw, cold, filling a kept cache': () => {
    rmSync(cache, { recursive: true, force: true })
    return build('raw', ['--cache', cache])
  },
  'raw, warm': () => build('raw', ['--cache', cache]),
  'dd of the uncompressed layers': async () => {
    // What the medium takes for the bytes alone: `raw, warm` reads and writes about as many.
    const layers = join(cache, 'sha256/*.tar')
    return measure('bash', ['-c', `cat ${layers} | dd of=${join(folder, 'copy')} bs=4M iflag=fullblock`])
  },
  'qcow2 (compressed), warm': () => build('qcow2', ['--cache', cache]),
  'qemu-img convert -c': () => {
    const raw = join(folder, 'raw/image/disk.raw')
    return measure('qemu-img', ['convert', '-O', 'qcow2', '-c', raw, join(folder, 'peer.qcow2')])
  },
}
const { baseline } = values
const peers: Subjects = baseline === undefined ? {} : { 'baseline to raw': () => measureBaseline(baseline) }

const results = await measureInTurns({ ...subjects, ...peers }, Number(values.runs))
rmSync(folder, { recursive: true, force: true })
printTable(results, '× floor', () => 'floor')

/** Sums the stages of the shell pipeline that lead to the raw disk. */
async function measureBaseline(script: string): Promise<Cost> {
  const out = join(folder, 'baseline')
  const flags = ['--archive', image, '--out', out, '--layout', layout, '--runs', '1', '--direct']
  await measure('bash', [script, ...flags])
  const stages = readFileSync(join(out, 'stages.jsonl'), 'utf8').trim().split('\n')
  const rows = stages.map((line) => JSON.parse(line) as { stage: string; wall: number; cpu: number })
  const toRaw = rows.filter(({ stage }) => !stage.startsWith('qcow2'))
  const sum = (key: 'wall' | 'cpu'): number => toRaw.reduce((total, row) => total + row[key], 0)
  return { wall: sum('wall'), cpu: sum('cpu'), peak: 0 }
}
