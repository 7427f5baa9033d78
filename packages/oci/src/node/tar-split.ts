import { createReadStream } from 'node:fs'
import { BootableError, FormatError, MiB, type Runtime } from '@bootable/bytes'
import { parseJson } from '../wire/check.ts'

/** What a tar is put together from: bytes of its own, or the content of a file that was unpacked from it. */
export type TarPiece =
  | { readonly type: 'segment'; readonly bytes: Uint8Array }
  /** `path` as the header has it: bytes that need not be UTF-8. */
  | { readonly type: 'file'; readonly path: Buffer; readonly size: number }

/** Types of an entry: tar-split, `tar/storage/entry.go`. */
const FILE = 1
const SEGMENT = 2

/** Bytes of one line. A segment holds headers and padding; long PAX records make it longer. */
const MAX_LINE = 64 * MiB
const MAX_RECORD = 64 * 1024 * MiB
const NEWLINE = 0x0a

/**
 * The pieces that a `tar-split.gz` lists, in their order: lines of JSON, compressed with gzip.
 * @throws FormatError; errors of the file pass as they are
 */
export async function* readTarSplit(
  path: string,
  runtime: Runtime,
  signal?: AbortSignal,
): AsyncGenerator<TarPiece> {
  const file = createReadStream(path, { highWaterMark: MiB })
  try {
    const limits = { maxOutput: MAX_RECORD, ...(signal && { signal }) }
    for await (const line of splitLines(runtime.decompress('gzip', file, limits))) {
      signal?.throwIfAborted()
      const piece = readEntry(line)
      if (piece) yield piece
    }
  } finally {
    file.destroy()
  }
}

async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const last = chunk.subarray(start, end)
      yield parts.length === 0 ? last : Buffer.concat([...parts, last])
      parts = []
      length = 0
      start = end + 1
    }
    if (start === chunk.length) continue
    // The chunk may be used again by whoever gave it.
    parts.push(chunk.slice(start))
    length += chunk.length - start
    if (length > MAX_LINE) {
      throw new BootableError('LIMIT_EXCEEDED', `a line of tar-split passes ${MAX_LINE} bytes`, {
        details: { length, limit: MAX_LINE },
      })
    }
  }
  if (length > 0) yield Buffer.concat(parts)
}

/** An entry that adds bytes to the tar; folders, links and the like are their headers alone. */
function readEntry(line: Uint8Array): TarPiece | undefined {
  if (line.length === 0) return undefined
  const entry = parseJson(line, 'tar-split') as Record<string, unknown> | null
  const { type, payload, name, name_raw: rawName, size = 0 } = entry ?? {}
  if (type === SEGMENT) {
    if (payload === null || payload === undefined || payload === '') return undefined
    const bytes = typeof payload === 'string' ? Buffer.from(payload, 'base64') : undefined
    if (!bytes) throw invalid('payload', payload)
    return { type: 'segment', bytes }
  }
  if (type !== FILE) throw invalid('type', type)
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw invalid('size', size)
  if (size === 0) return undefined
  // A name that is not UTF-8 stands in base64 in a field of its own.
  const path =
    typeof rawName === 'string' && rawName !== ''
      ? Buffer.from(rawName, 'base64')
      : typeof name === 'string'
        ? Buffer.from(name)
        : undefined
  if (!path || path.length === 0) throw invalid('name', name)
  return { type: 'file', path, size: size as number }
}

function invalid(structure: string, actual: unknown): FormatError {
  const shown = typeof actual === 'string' ? actual.slice(0, 80) : typeof actual
  return new FormatError(
    'FORMAT_INVALID',
    { format: 'tar-split', structure, actual: shown },
    `it is ${shown}`,
  )
}
