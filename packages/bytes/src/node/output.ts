import { randomBytes } from 'node:crypto'
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type CreateFileDeviceOptions, createFileDevice, type FileDevice } from './file.ts'

/**
 * Writes a file so that its name never stands for something half-made: the bytes go to a neighbour with a
 * name of its own, which takes the final name only when `write` has resolved. When it rejects, the
 * neighbour is removed and what stood under the final name before is still there. Folders are made.
 *
 * @returns what `write` answered
 */
export async function writeOutputFile<T>(
  path: string,
  write: (device: FileDevice) => Promise<T>,
  options: Omit<CreateFileDeviceOptions, 'exclusive'> = {},
): Promise<T> {
  await mkdir(dirname(path), { recursive: true })
  const partial = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.partial`)
  const device = await createFileDevice(partial, { ...options, exclusive: true })
  try {
    const result = await write(device)
    await device.close()
    await rename(partial, path)
    return result
  } catch (error) {
    await device.close().catch(() => {})
    await rm(partial, { force: true })
    throw error
  }
}
