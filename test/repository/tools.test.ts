import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageNames, root } from '../../tooling/sources.ts'

function check(tool: string, args: readonly string[], cwd = root): void {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'node_modules', tool), ...args],
    {
      cwd,
      encoding: 'utf8',
    },
  )
  expect(status, `${stdout}${stderr}`.slice(-8000)).toBe(0)
}

describe('the sources', () => {
  it('are formatted and free of findings', () =>
    check('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.']))
  it('type-check with web types alone', () => check('typescript/bin/tsc', ['-p', 'tsconfig.neutral.json']))
  it('type-check with Node, tests and tooling', () => check('typescript/bin/tsc', ['-p', 'tsconfig.json']))
  it('export and declare nothing that is unused', () => check('knip/bin/knip.js', []))
  it('are documented', () => check('typedoc/bin/typedoc', ['--emit', 'none']))
})

describe('publint', () => {
  it.each(packageNames)('finds nothing in %s', (name) => {
    check('publint/src/cli.js', ['--strict', '--pack', 'false'], join(root, 'packages', name))
  })
})
