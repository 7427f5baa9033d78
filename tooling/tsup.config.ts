import { readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

/** One build for every package: the entries are what its `exports` name under `@bootable/source`. */
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, string | { '@bootable/source': string }>
}
const entry: Record<string, string> = {}
for (const target of Object.values(manifest.exports)) {
  if (typeof target === 'string') continue
  const source = target['@bootable/source'].slice('./'.length)
  entry[source.replace(/^src\//, '').replace(/\.ts$/, '')] = source
}

export default defineConfig({
  entry,
  format: 'esm',
  target: 'es2023',
  platform: 'neutral',
  external: [/^node:/, /^@bootable\//],
  dts: { compilerOptions: { composite: false } },
  tsconfig: '../../tsconfig.json',
  sourcemap: true,
  clean: true,
  splitting: true,
})
