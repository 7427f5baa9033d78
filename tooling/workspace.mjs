// What the three scripts for people with only Node and npm share: installing, building, running tools.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Runs a program in the repository with our output as its own; a failure ends the script. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

/** Installs with the pnpm that package.json pins, reached through npm; does nothing when all is there. */
export function install() {
  const lock = join(root, 'pnpm-lock.yaml')
  const stamp = join(root, 'node_modules/.modules.yaml')
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs) return
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const pnpm = ['exec', '--yes', `--package=${packageManager}`, '--', 'pnpm']
  run(npm, [...pnpm, 'install', '--frozen-lockfile', '--reporter=append-only'], {
    shell: process.platform === 'win32',
    env: { ...process.env, CI: 'true' },
  })
}

const packages = readdirSync(join(root, 'packages'))

/** Builds the packages whose sources are newer than their output, as many at once as there are cores. */
export async function build() {
  const settings = Math.max(
    ...['tooling/tsup.config.ts', 'tsconfig.json', 'tsconfig.base.json'].map((file) =>
      modified(join(root, file)),
    ),
  )
  const newest = new Map(packages.map((name) => [name, Math.max(settings, newestSource(name))]))
  const stale = packages.filter((name) => (newest.get(name) ?? 0) > modified(stampOf(name)))
  if (stale.length > 0) console.log(`building ${stale.join(', ')}`)
  const queue = [...stale]
  const worker = async () => {
    for (let name = queue.shift(); name; name = queue.shift()) await buildPackage(name)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
}

const stampOf = (name) => join(root, 'packages', name, 'dist', '.built')

function modified(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0
}

/** Types of one package stand in the declarations of others, but only by name: no order of builds is needed. */
function newestSource(name) {
  const folder = join(root, 'packages', name)
  const sources = readdirSync(join(folder, 'src'), { recursive: true, withFileTypes: true })
  const times = sources
    .filter((entry) => entry.isFile())
    .map((entry) => modified(join(entry.parentPath, entry.name)))
  return Math.max(modified(join(folder, 'package.json')), ...times)
}

function buildPackage(name) {
  const cwd = join(root, 'packages', name)
  const tsup = join(root, 'node_modules/tsup/dist/cli-default.js')
  const args = [tsup, '--config', '../../tooling/tsup.config.ts', '--silent']
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => {
      if (status !== 0) return reject(new Error(`the build of ${name} ended with ${status}`))
      mkdirSync(dirname(stampOf(name)), { recursive: true })
      writeFileSync(stampOf(name), '')
      resolve()
    })
  })
}
