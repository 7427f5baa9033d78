// `npm test`: installs, builds and runs every test; the last line counts them.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, install, root } from './workspace.mjs'

install()
await build()

/** Boots are slow and take both cores, so they run when everything else is done. */
const STAGES = [['unit', 'oracle'], ['repository'], ['boot'], ['machine']]

const extra = process.argv.slice(2)
const totals = { passed: 0, failed: 0, skipped: 0 }
for (const projects of STAGES) {
  const folder = mkdtempSync(join(tmpdir(), 'bootable-test-'))
  const report = join(folder, 'report.json')
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const args = ['run', ...projects.flatMap((name) => ['--project', name]), ...extra, '--passWithNoTests']
  args.push('--reporter=default', '--reporter=json', `--outputFile.json=${report}`)
  const { status } = spawnSync(process.execPath, [vitest, ...args], { cwd: root, stdio: 'inherit' })
  const failed = count(report)
  // A suite that failed to load, or a crash, has no failed test to show; it must not count as green.
  if (status !== 0 && failed === 0) totals.failed++
  rmSync(folder, { recursive: true })
}

function count(report) {
  let result
  try {
    result = JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    return 0
  }
  totals.passed += result.numPassedTests
  totals.failed += result.numFailedTests
  totals.skipped += result.numPendingTests + result.numTodoTests
  return result.numFailedTests
}

console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exit(totals.failed === 0 ? 0 : 1)
