import { join } from 'node:path'
import { build } from 'tsup'
import { root } from './sources.ts'

/**
 * Bundles a program of `tooling/programs` with everything that it imports, from the sources, into one module.
 *
 * @param platform `browser` fails where something of Node would be imported
 * @returns the path of the module
 */
export async function bundleProgram(
  name: string,
  platform: 'node' | 'browser',
  folder: string,
): Promise<string> {
  await build({
    config: false,
    silent: true,
    entry: { [name]: join(root, 'tooling/programs', `${name}.ts`) },
    outDir: folder,
    outExtension: () => ({ js: '.mjs' }),
    format: 'esm',
    target: 'es2022',
    platform,
    noExternal: [/.*/],
    esbuildOptions(options) {
      options.conditions = ['@bootable/source']
    },
  })
  return join(folder, `${name}.mjs`)
}
