import { spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, describe } from 'vitest'

/** Where tools are looked for: PATH, and the folders that an ordinary user's PATH leaves out. */
const FOLDERS = [...new Set([...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'])]

/** The full path of a program, `undefined` where it is not installed. */
export function findTool(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/**
 * Whether all these programs are installed: `describe.runIf(requireTool('sgdisk'))`.
 *
 * A missing one is named on standard error. Where `CI` is set it is an error instead, so that a green
 * run there cannot have skipped anything.
 */
export function requireTool(...names: string[]): boolean {
  const missing = names.filter((name) => findTool(name) === undefined)
  if (missing.length === 0) return true
  const message = `not installed: ${missing.join(', ')}`
  if (process.env.CI) throw new Error(message)
  console.warn(`tests skipped: ${message}`)
  return false
}

/** A `describe` block that runs only where the tools that judge in it are installed. */
export function oracle(tools: string | readonly string[], tests: () => void): void {
  const names = typeof tools === 'string' ? [tools] : tools
  describe.runIf(requireTool(...names))(names.join(', '), tests)
}

/** Options of {@link run}. */
export interface RunOptions {
  /** Given on standard input. */
  readonly input?: string | Uint8Array
  readonly cwd?: string
  /** Set on top of this process's environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds after which the program is killed. @defaultValue 60 000 */
  readonly timeout?: number
}

/** How a program ended and what it said. */
export interface RunResult {
  readonly stdout: string
  readonly stderr: string
  /** Standard output as it came. */
  readonly bytes: Uint8Array
  /** Exit status; −1 where a signal ended the program. */
  readonly status: number
}

/** Runs a program to its end, messages in English. Any exit status is a result, not an error. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(findTool(command) ?? command, args, {
      cwd: options.cwd,
      env: { ...process.env, PATH: FOLDERS.join(delimiter), LC_ALL: 'C', ...options.env },
      timeout: options.timeout ?? 60_000,
      killSignal: 'SIGKILL',
    })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.on('error', reject)
    child.on('close', (status) => {
      const bytes = Buffer.concat(stdout)
      resolve({
        stdout: bytes.toString(),
        stderr: Buffer.concat(stderr).toString(),
        bytes,
        status: status ?? -1,
      })
    })
    // A program that does not read its input closes the pipe; its status tells what matters.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input)
  })
}

/** Like {@link run}, but a status other than 0 is an error that shows what the program said. */
export async function runOk(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await run(command, args, options)
  if (result.status === 0) return result
  throw new Error(
    `${command} ${args.join(' ')} ended with status ${result.status}:\n${result.stdout}${result.stderr}`,
  )
}

/** What a checker said apart from the lines that it prints for a faultless image. */
async function findings(
  command: string,
  args: readonly string[],
  usual: readonly RegExp[],
): Promise<string[]> {
  const { stdout, stderr, status } = await run(command, args)
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '')
  const unusual = lines.filter((line) => !usual.some((pattern) => pattern.test(line)))
  return status === 0 ? unusual : [...(unusual.length > 0 ? unusual : lines), `${command}: status ${status}`]
}

/** Findings of `e2fsck -f -n`; none for a faultless ext2, ext3 or ext4 image. */
export function e2fsck(path: string): Promise<string[]> {
  return findings(
    'e2fsck',
    ['-f', '-n', path],
    [/^e2fsck \d/, /^Pass \d[A-D]?: /, /: \d+\/\d+ files \(.*blocks$/],
  )
}

/** Findings of `xfs_repair -n`; none for a faultless XFS. */
export function xfsRepair(path: string): Promise<string[]> {
  const usual = [
    /^Phase \d - /,
    /^ {8}- /,
    /^No modify flag set, skipping (phase 5|filesystem flush and exiting)\.?$/,
    // The image is a file; what that lies on need not be XFS.
    /^Cannot get host filesystem geometry\.$/,
    /^Repair may fail if there is a sector size mismatch between$/,
    /^the image and the host filesystem\.$/,
  ]
  return findings('xfs_repair', ['-n', path], usual)
}

/** Findings of `btrfs check`, which reads all data against its checksums; none for a faultless btrfs. */
export function btrfsCheck(path: string): Promise<string[]> {
  const usual = [
    /^Opening filesystem to check\.\.\.$/,
    /^Checking filesystem on /,
    /^UUID: /,
    /^\[\d\/\d\] checking /,
    /^found \d+ bytes used, no error found$/,
    /^(total .* bytes|btree space waste bytes|file data blocks allocated|\s*referenced):? \d+$/,
  ]
  return findings('btrfs', ['check', '--readonly', '--check-data-csum', path], usual)
}

/** Findings of `fsck.fat -n`; none for a faultless FAT image. */
export function fsckFat(path: string): Promise<string[]> {
  return findings('fsck.fat', ['-n', path], [/^fsck\.fat \d/, /: \d+ files, \d+\/\d+ clusters$/])
}

/** Findings of `fsck.erofs --extract`, which reads every file; none for a faultless EROFS. */
export function fsckErofs(path: string): Promise<string[]> {
  return findings('fsck.erofs', ['--extract', path], [/^No errors found$/, /^fsck\.erofs \d/])
}

/** Findings of `sgdisk -v`; none for a faultless GPT. */
export function sgdiskVerify(path: string): Promise<string[]> {
  const usual = [
    /^No problems found\. /,
    /^available in \d+$/,
    /^segments?, the largest of which/,
    // As util-linux does it, the first usable sector is 2048; sgdisk thinks that worth four lines.
    /^Warning: There is a gap between the main partition table \(ending sector 33\)$/,
    /^and the first usable sector \(2048\)\. This is helpful in some exotic configurations,$/,
    /^but is unusual\. The util-linux fdisk program often creates disks like this\.$/,
    /^Using 'j' on the experts' menu can adjust this gap\.$/,
  ]
  return findings('sgdisk', ['-v', path], usual)
}

/** Standard output of a `qemu-img` call that must succeed. */
export async function qemuImg(...args: string[]): Promise<string> {
  return (await runOk('qemu-img', args, { timeout: 300_000 })).stdout
}

/** A fresh folder, removed after the tests of the file or `describe` block in whose body it is asked for. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'bootable-test-'))
  afterAll(() => rmSync(path, { recursive: true, force: true, maxRetries: 10 }))
  return path
}

/** Which part of an image {@link withLoopMount} mounts, and as what. */
export interface LoopMountOptions {
  /** First byte of the filesystem in the image. @defaultValue 0 */
  readonly offset?: number
  /** Its length in bytes. @defaultValue up to the end */
  readonly size?: number
  /** Bytes of the sectors that the kernel is to see. @defaultValue 512 */
  readonly sectorSize?: number
  /** The kernel's name of the filesystem, such as `ext4`. */
  readonly type: string
  /** Mount options besides `ro`. */
  readonly options?: string
}

/** Whether this process may mount filesystems of that type: root, on a kernel that knows it. */
export function canLoopMount(type: string): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  return (
    readFileSync('/proc/filesystems', 'utf8').split(/\s+/).includes(type) && requireTool('losetup', 'mount')
  )
}

/** Hands `use` a folder where the kernel has mounted the image read-only, and takes it down again. */
export async function withLoopMount<T>(
  image: string,
  { offset = 0, size, sectorSize = 512, type, options }: LoopMountOptions,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const limit = size === undefined ? [] : ['--sizelimit', String(size)]
  const losetup = await runOk('losetup', [
    '--find',
    '--show',
    '--read-only',
    '--sector-size',
    String(sectorSize),
    '--offset',
    String(offset),
    ...limit,
    image,
  ])
  const device = losetup.stdout.trim()
  const folder = mkdtempSync(join(tmpdir(), 'bootable-mount-'))
  try {
    await runOk('mount', ['-t', type, '-o', options ? `ro,${options}` : 'ro', device, folder])
    try {
      return await use(folder)
    } finally {
      await runOk('umount', [folder])
    }
  } finally {
    await run('losetup', ['--detach', device])
    rmSync(folder, { recursive: true, force: true })
  }
}
