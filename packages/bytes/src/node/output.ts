import { randomBytes } from 'node:crypto'
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createFileDevice, type FileDevice } from './file.ts'

/** A file under way; exactly one of `commit` and `discard` is called at the end. */
export interface OutputFile {
  readonly device: FileDevice
  /** Closes the file and gives it its final name. */
  commit(): Promise<void>
  /** Closes the file and removes it; what stood under the final name before is still there. */
  discard(): Promise<void>
}

/**
 * A file whose name never stands for something half-made: the bytes go to a hidden neighbour, which takes
 * the final name when they are whole. Folders are made.
 */
export async function createOutputFile(path: string): Promise<OutputFile> {
  await mkdir(dirname(path), { recursive: true })
  const partial = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.partial`)
  const device = await createFileDevice(partial, { exclusive: true })
  return {
    device,
    async commit() {
      await device.close()
      await rename(partial, path)
    },
    async discard() {
      await device.close().catch(() => {})
      await rm(partial, { force: true })
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
