import { randomBytes } from 'node:crypto'
import { rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileError } from './errors.ts'
import { createFileDevice, type FileDevice } from './file.ts'
import { makeFolder } from './folder.ts'

/** A file under way. `discard` may be called at any time, also after `commit`, which it takes back. */
export interface OutputFile {
  readonly device: FileDevice
  /** Closes the file and gives it its final name. @throws BootableError `FILE_NOT_WRITABLE` */
  commit(): Promise<void>
  /** Closes the file and removes it. Before `commit`, what stood under the final name is still there. */
  discard(): Promise<void>
}

/**
 * A file whose name never stands for something half-made: the bytes go to a hidden neighbour, which takes
 * the final name when they are whole. Folders are made.
 *
 * @throws BootableError `FILE_NOT_WRITABLE`, `FILE_NO_SPACE`
 */
export async function createOutputFile(path: string): Promise<OutputFile> {
  await makeFolder(dirname(path))
  // Better now than when everything has been written.
  if ((await stat(path).catch(() => undefined))?.isDirectory()) {
    throw fileError('FILE_NOT_WRITABLE', `write ${path}`, { path }, 'a folder stands there')
  }
  const partial = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.partial`)
  const device = await createFileDevice(partial, { exclusive: true })
  let place = partial
  return {
    device,
    async commit() {
      try {
        await device.close()
        await rename(partial, path)
      } catch (cause) {
        throw fileError('FILE_NOT_WRITABLE', `write ${path}`, { path }, cause)
      }
      place = path
    },
    async discard() {
      await device.close().catch(() => {})
      await rm(place, { force: true })
    },
  }
}

/**
 * Writes a file by {@link createOutputFile}: committed when `write` resolves, discarded when it rejects.
 * @returns what `write` answered
 */
export async function writeOutputFile<T>(
  path: string,
  write: (device: FileDevice) => Promise<T>,
): Promise<T> {
  const file = await createOutputFile(path)
  try {
    const result = await write(file.device)
    await file.commit()
    return result
  } catch (error) {
    await file.discard()
    throw error
  }
}
