import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'tsup'
import { root } from './sources.ts'

/** `nobody` on every Linux; who the command runs as when the tests run as root. */
const NOBODY = 65_534

/** How a run of the command ended. */
export interface CommandResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Options of {@link Command.run}. */
export interface CommandRunOptions {
  readonly cwd?: string
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Sends SIGINT as soon as standard error or output contains this. */
  readonly interruptAt?: RegExp
  /** Closes standard output as soon as something comes out of it, as `head -1` does. */
  readonly closeOutput?: boolean
}

/** The built `bootable` command, run by a user without privileges. */
export interface Command {
  run(args: readonly string[], options?: CommandRunOptions): Promise<CommandResult>
  /** A new folder that this user owns. */
  folder(): string
  /** Removes all these folders. */
  close(): void
}

/**
 * Finds the built command; where the unprivileged user cannot reach this folder, a bundled copy of it.
 * `close` must be called.
 */
export async function prepareCommand(): Promise<Command> {
  const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  const folders: string[] = []
  const folder = (): string => {
    const path = mkdtempSync(join(tmpdir(), 'bootable-command-'))
    folders.push(path)
    chmodSync(path, 0o777)
    return path
  }
  const built = join(root, 'packages/cli/bin/bootable.js')
  // Whoever works on the sources sets this to save the build.
  const wanted = process.env.BOOTABLE_FROM_SOURCES === undefined
  const reachable =
    wanted && spawnSync(process.execPath, [built, 'version'], { ...identity, cwd: '/' }).status === 0
  const script = reachable ? built : await bundle(folder())
  return {
    folder,
    close() {
      for (const path of folders) rmSync(path, { recursive: true, force: true })
    },
    run(args, options = {}) {
      const child = spawn(process.execPath, [script, ...args], {
        ...identity,
        cwd: options.cwd ?? '/',
        env: { ...process.env, HOME: '/nonexistent', NO_COLOR: '1', ...options.env },
      })
      let [stdout, stderr] = ['', '']
      let interrupted = false
      const look = (): void => {
        if (interrupted || !options.interruptAt?.test(stdout + stderr)) return
        interrupted = child.kill('SIGINT')
      }
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text
        if (options.closeOutput) child.stdout.destroy()
        look()
      })
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text
        look()
      })
      child.stdin.on('error', () => {}).end(options.input ?? '')
      return new Promise((resolve, reject) => {
        child.on('error', reject)
        child.on('close', (status) => resolve({ status, stdout, stderr }))
      })
    },
  }
}

async function bundle(folder: string): Promise<string> {
  const dist = join(folder, 'dist')
  mkdirSync(dist)
  copyFileSync(join(root, 'packages/cli/package.json'), join(folder, 'package.json'))
  await build({
    config: false,
    silent: true,
    entry: [join(root, 'packages/cli/src/index.ts')],
    outDir: dist,
    format: 'esm',
    platform: 'node',
    noExternal: [/.*/],
    // commander is CommonJS and asks for `require`.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url)",
    },
    esbuildOptions(options) {
      options.conditions = ['@bootable/source']
    },
  })
  const script = join(folder, 'bootable.mjs')
  writeFileSync(
    script,
    "import { main } from './dist/index.js'\nprocess.exitCode = await main(process.argv.slice(2))\n",
  )
  return script
}
