import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Names of the folders under `packages/`. */
export const packageNames: readonly string[] = readdirSync(join(root, 'packages')).sort()

export interface PackageManifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly dependencies?: Readonly<Record<string, string>>
}

export function readManifest(name: string): PackageManifest {
  return JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as PackageManifest
}

/** Every file below a folder of the repository, as paths from its root. */
export function listFiles(folder: string, ending: string): string[] {
  const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules') && !path.includes('dist/'))
    .sort()
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** Module names that a source file imports, exports from or loads. */
export function importsOf(source: string): string[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"]*?from\s*['"]([^'"]+)['"]|import\s*\(\s*['"]([^'"]+)['"]\s*\)/g
  return [...source.matchAll(pattern)].map((match) => (match[1] ?? match[2]) as string)
}

/** Every public module: what a user can write after `from`, with the file that is its source. */
export function entryPoints(): { module: string; source: string }[] {
  return packageNames.flatMap((name) => {
    const manifest = readManifest(name)
    return Object.entries(manifest.exports).flatMap(([subpath, target]) =>
      typeof target === 'string'
        ? []
        : [
            {
              module: manifest.name + subpath.slice(1),
              source: join('packages', name, target['@bootable/source'] as string),
            },
          ],
    )
  })
}
