import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { entryPoints, root } from '../../tooling/sources.ts'

/** Names that an entry point exports, types marked. Changing the surface changes the snapshot beside this file. */
describe('public names', () => {
  const entries = entryPoints()
  const configPath = join(root, 'tsconfig.json')
  const { config } = ts.readConfigFile(configPath, (path) => readFileSync(path, 'utf8'))
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const program = ts.createProgram(
    entries.map(({ source }) => join(root, source)),
    options,
  )
  const checker = program.getTypeChecker()

  it.each(entries)('of $module', async ({ module, source }) => {
    const file = program.getSourceFile(join(root, source))
    const symbol = file && checker.getSymbolAtLocation(file)
    if (!symbol) throw new Error(`${source} is not a module`)
    const names = checker.getExportsOfModule(symbol).map((exported) => {
      const target = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      return target.flags & ts.SymbolFlags.Value ? exported.name : `type ${exported.name}`
    })
    const text = `${names.sort().join('\n')}\n`
    await expect(text).toMatchFileSnapshot(
      `surface/${module.replace('@bootable/', '').replaceAll('/', '-')}.txt`,
    )
  })
})
