import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { listFiles, packageNames, readText, root } from '../../tooling/sources.ts'

/** Inside the repository, because that is where the packages can be imported by name. */
const parent = join(root, 'node_modules/.cache')
mkdirSync(parent, { recursive: true })
const folder = mkdtempSync(join(parent, 'documents-'))
afterAll(() => rmSync(folder, { recursive: true }))

function execute(path: string, cwd: string): void {
  const tsx = join(root, 'node_modules/tsx/dist/cli.mjs')
  const args = [tsx, '--conditions=@bootable/source', path]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    encoding: 'utf8',
    timeout: 120_000,
  })
  expect(status, `${stdout}${stderr}`).toBe(0)
}

/** Code blocks of a document that are marked `ts`. */
function blocks(document: string): string[] {
  return [...readText(document).matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] as string)
}

describe('code in READMEs', () => {
  const documents = ['README.md', ...packageNames.map((name) => `packages/${name}/README.md`)]
  const cases = documents.flatMap((document) =>
    blocks(document).map((code, index) => ({ document, index, code })),
  )

  it('is there in every package', () => {
    for (const document of documents) expect(blocks(document), document).not.toEqual([])
  })

  it.each(cases)('$document, block $index, runs', ({ document, index, code }) => {
    const owner = document.startsWith('packages/') ? document.split('/').slice(0, 2).join('/') : 'examples'
    const path = join(root, owner, `.readme-${index}-${process.pid}.ts`)
    writeFileSync(path, code)
    try {
      execute(path, folder)
    } finally {
      rmSync(path)
    }
  })
})

describe('examples', () => {
  it.each(listFiles('examples', '.ts'))('%s runs', (path) => execute(join(root, path), folder))
})
