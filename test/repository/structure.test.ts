import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  entryPoints,
  importsOf,
  listFiles,
  packageNames,
  readManifest,
  readText,
  root,
} from '../../tooling/sources.ts'

/** Who may import whom. The order is the order of the pipeline; there is no other arrow. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  tree: ['bytes'],
  oci: ['bytes', 'tree'],
  registry: ['bytes', 'oci'],
  signatures: ['bytes', 'oci'],
  blueprint: ['bytes'],
  system: ['bytes', 'tree', 'blueprint'],
  filesystems: ['bytes', 'tree'],
  ostree: ['bytes', 'tree', 'oci', 'system', 'filesystems'],
  bootloader: ['bytes', 'tree', 'system'],
  disk: ['bytes', 'tree', 'system', 'blueprint', 'filesystems'],
  core: [
    'bytes',
    'tree',
    'oci',
    'registry',
    'signatures',
    'blueprint',
    'system',
    'filesystems',
    'ostree',
    'bootloader',
    'disk',
  ],
  cli: ['core', 'blueprint', 'registry', 'signatures', 'bytes'],
}

describe.each(packageNames)('packages/%s', (name) => {
  const allowed = ARROWS[name]
  const sources = listFiles(`packages/${name}/src`, '.ts')

  it('imports only what stands below it, and declares what it imports', () => {
    expect(allowed, `${name} has no place among the arrows`).toBeDefined()
    const declared = Object.keys(readManifest(name).dependencies ?? {})
    for (const path of sources) {
      for (const module of importsOf(readText(path))) {
        if (module.startsWith('.') || module.startsWith('node:')) continue
        const dependency = module
          .split('/')
          .slice(0, module.startsWith('@') ? 2 : 1)
          .join('/')
        expect(declared, `${path} imports ${module}`).toContain(dependency)
        if (!dependency.startsWith('@bootable/')) continue
        expect(allowed, `${path} imports ${module}`).toContain(dependency.slice('@bootable/'.length))
      }
    }
  })

  it('keeps Node out of everything but src/node', () => {
    if (name === 'cli') return
    for (const path of sources.filter((source) => !source.includes('/src/node/'))) {
      const modules = importsOf(readText(path))
      const node = modules.filter(
        (module) => module.startsWith('node:') || /^@bootable\/\w+\/node$/.test(module),
      )
      expect(node, path).toEqual([])
      const within = modules.filter((module) => module.startsWith('.') && /(^|\/)node\//.test(module))
      expect(within, path).toEqual([])
    }
  })

  it('has small files, no deeper than one folder', () => {
    for (const path of sources) {
      expect(path.split('/').length, path).toBeLessThanOrEqual(5)
      expect(readText(path).split('\n').length, `lines of ${path}`).toBeLessThanOrEqual(600)
    }
  })

  it('has a README that names every entry point', () => {
    const readme = readText(`packages/${name}/README.md`)
    for (const { module } of entryPoints().filter(({ source }) => source.startsWith(`packages/${name}/`))) {
      expect(readme).toContain(module)
    }
  })
})

describe('the repository', () => {
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((path) => path !== '')

  it('holds no file over 100 KB but the lock file', () => {
    const large = tracked.filter((path) => {
      const info = statSync(join(root, path), { throwIfNoEntry: false })
      return info !== undefined && info.size > 102_400 && path !== 'pnpm-lock.yaml'
    })
    expect(large).toEqual([])
  })

  it('has no link in its documents that leads nowhere', () => {
    for (const path of tracked.filter((file) => file.endsWith('.md'))) {
      for (const [, target] of readText(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)) {
        const file = join(root, dirname(path), target as string)
        expect(statSync(file, { throwIfNoEntry: false }), `${path} → ${target}`).toBeDefined()
      }
    }
  })
})
