import { type EmbeddedDisk, loadBlueprint, loadEmbeddedDisk } from '@bootable/blueprint'
import { planDisk } from '@bootable/core'
import { createDirectory, createTree, putInode } from '@bootable/tree'
import { describe, expect, it } from 'vitest'
import { readText } from '../../../tooling/sources.ts'
import { PLAN_HEAD, planRows } from '../src/render/plan.ts'
import { formatTable } from '../src/render/table.ts'

/** A partition table as the document has it, and the plan that it shows for it. */
interface Example {
  readonly language: 'toml' | 'yaml'
  readonly text: string
  readonly table: string
}

const DOCUMENT = 'docs/disks.md'

function examples(): Example[] {
  const found = readText(DOCUMENT).matchAll(/```(toml|yaml)\n([^`]*)```\n+```text\n([^`]*)```/g)
  return [...found].map(([, language, text, table]) => ({ language, text, table }) as Example)
}

/** The plan of an example, without the columns that the document leaves out. */
function planOf({ language, text }: Example): string {
  const root = createTree()
  for (const path of ['boot/efi', 'var']) putInode(root, path, createDirectory())
  const system = { architecture: 'x86_64', layout: 'ostree', sysroot: root, root } as const
  const { partition_table: partitionTable }: EmbeddedDisk = language === 'yaml' ? loadEmbeddedDisk(text) : {}
  const { disk, filesystem: filesystems } =
    language === 'toml' ? loadBlueprint(text, { format: 'toml' }).blueprint.customizations : {}
  const plan = planDisk(system, {
    seed: 'disks',
    rootfs: 'xfs',
    ...(disk && { disk }),
    ...(filesystems && { filesystems }),
    ...(partitionTable && { partitionTable }),
  })
  const shown = ['#', 'name', 'size', 'type', 'content', 'mount point']
  const columns = shown.map((name) => PLAN_HEAD.indexOf(name))
  return formatTable(
    shown,
    planRows(plan).map((row) => columns.map((column) => row[column] ?? '')),
  )
}

describe(DOCUMENT, () => {
  it('has examples of at most ten lines', () => {
    expect(examples().length).toBeGreaterThanOrEqual(5)
    for (const { text } of examples().filter(({ language }) => language === 'toml')) {
      expect(text.split('\n').filter((line) => line !== '').length, text).toBeLessThanOrEqual(10)
    }
  })

  it.each(examples())('shows what becomes of $text', (example) => {
    expect(planOf(example)).toBe(example.table)
  })
})
