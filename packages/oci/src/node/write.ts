import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createCoalescingWriter } from '@bootable/bytes'
import { type FileDevice, writeOutputFile } from '@bootable/bytes/node'
import { type Pack, pack } from 'tar-stream'

/** A file on its way into an archive. Its size stands before it, so it must be known. */
export interface ArchiveFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  open(): Promise<AsyncIterable<Uint8Array> | Iterable<Uint8Array>>
}

/**
 * Writes a tar archive, the files in the order given. Whatever the host, the same files give the same
 * bytes: owner root, mode 0644, no time. The archive gets its name when it is complete.
 */
export async function writeArchive(
  path: string,
  files: readonly ArchiveFile[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  await writeOutputFile(path, async (output) => {
    const archive = pack()
    // When one half fails the other one is torn down with an error of its own: the first one is the cause.
    const failures: unknown[] = []
    const note = (error: unknown): void => void failures.push(error)
    const chunks = archive as AsyncIterable<unknown> as AsyncIterable<Uint8Array>
    await Promise.all([
      feed(archive, files, options.signal).catch(note),
      writeChunks(chunks, output).catch(note),
    ])
    if (failures.length === 0) return
    options.signal?.throwIfAborted()
    throw failures[0]
  })
}

async function feed(archive: Pack, files: readonly ArchiveFile[], signal?: AbortSignal): Promise<void> {
  try {
    for (const { path: name, size, open } of files) {
      signal?.throwIfAborted()
      const content = await open()
      const entry = archive.entry({ name, size, mode: 0o644, mtime: new Date(0), type: 'file' })
      await pipeline(Readable.from(content, { objectMode: true, highWaterMark: 1 }), entry)
    }
    archive.finalize()
  } catch (error) {
    archive.destroy(error as Error)
    throw error
  }
}

/** Writes a stream to a file and answers with its length. */
export async function writeChunks(
  chunks: AsyncIterable<Uint8Array>,
  file: FileDevice,
  look: (chunk: Uint8Array) => void = () => {},
): Promise<number> {
  const writer = createCoalescingWriter(file)
  let length = 0
  for await (const chunk of chunks) {
    look(chunk)
    await writer.write(length, chunk)
    length += chunk.length
  }
  await writer.flush()
  return length
}
