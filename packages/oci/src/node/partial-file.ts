import { createHash, randomBytes } from 'node:crypto'
import { readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { createFileDevice, type FileDevice, makeFolder } from '@bootable/bytes/node'
import { type Digest, splitDigest } from '../wire/digest.ts'

/** Content on its way into a file, which may take several attempts, and several processes. */
export interface PartialFile {
  readonly path: string
  readonly device: FileDevice
  /** Bytes that an earlier attempt left. Nobody has checked them. */
  readonly length: number
  /** Gives the file its place. */
  commit(path: string): Promise<void>
  /** Leaves it for the next attempt, in whichever process. */
  keep(): Promise<void>
  discard(): Promise<void>
}

/** Milliseconds after which nobody is expected to come back for a file. */
const MAX_AGE = 7 * 24 * 3_600_000
/** A process that writes has its mark in the name: which host, which process, which of its files. */
const IN_USE = /^(.+)\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}$/
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)

/**
 * Opens the partial file of a digest, the longest that nobody writes to, or a new one.
 *
 * A file that is kept bears the digest as its name; one in use bears besides the mark of its process, so
 * that what a killed process left is found as well. Taking one over is a rename: of two that try, one wins.
 * @param folder for nothing but partial files; made, and removed when it is empty again
 * @throws BootableError `FILE_NOT_WRITABLE`, `FILE_NO_SPACE`
 */
export async function openPartialFile(folder: string, digest: Digest): Promise<PartialFile> {
  const { algorithm, encoded } = splitDigest(digest)
  const kept = `${algorithm}-${encoded}`
  const path = join(folder, `${kept}.${HOST}-${process.pid}-${randomBytes(4).toString('hex')}`)
  await takeOver(folder, kept, path)
  const device = await openDevice(path)
  const finish = async (move: () => Promise<void>): Promise<void> => {
    await device.close().catch(() => {})
    await move()
    // Refused while there are others.
    await rmdir(folder).catch(() => {})
  }
  return {
    path,
    device,
    length: device.size,
    commit: (target) =>
      finish(async () => {
        await makeFolder(dirname(target))
        await rename(path, target)
      }),
    keep: () => finish(() => rename(path, join(folder, kept))),
    discard: () => finish(() => rm(path, { force: true })),
  }
}

/** Gives the longest file that can be had the name `path`; on the way, very old ones are removed. */
async function takeOver(folder: string, kept: string, path: string): Promise<void> {
  const found: { readonly file: string; readonly size: number }[] = []
  for (const name of await readdir(folder).catch(() => [])) {
    const file = join(folder, name)
    const [, owned, host, pid] = IN_USE.exec(name) ?? []
    const info = await stat(file).catch(() => undefined)
    if (!info?.isFile()) continue
    const isOld = Date.now() - info.mtimeMs > MAX_AGE
    if (isOld) await rm(file, { force: true })
    else if (name === kept) found.push({ file, size: info.size })
    else if (owned === kept && host === HOST && isLeft(Number(pid), info.mtimeMs)) {
      found.push({ file, size: info.size })
    }
  }
  found.sort((a, b) => b.size - a.size)
  let isTaken = false
  for (const { file } of found) {
    // A shorter one holds nothing that the longest does not.
    if (isTaken) await rm(file, { force: true })
    else
      isTaken = await rename(file, path).then(
        () => true,
        () => false,
      )
  }
}

/** Whether the process that wrote a file is gone. Its number may be that of another by now, or even ours. */
function isLeft(pid: number, modified: number): boolean {
  if (pid === process.pid) return modified < Date.now() - process.uptime() * 1000
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

async function openDevice(path: string): Promise<FileDevice> {
  for (let attempt = 1; ; attempt++) {
    await makeFolder(dirname(path)).catch(() => {})
    try {
      return await createFileDevice(path, { keep: true })
    } catch (error) {
      // Somebody who was ready has just removed the empty folder.
      const isGone = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
      if (!isGone || attempt === 3) throw error
    }
  }
}
