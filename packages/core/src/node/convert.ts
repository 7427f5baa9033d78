import { basename, dirname } from 'node:path'
import { BootableError, FormatError, type OperationOptions } from '@bootable/bytes'
import { nodeRuntime } from '@bootable/bytes/node'
import { openDisk } from '@bootable/disk'
import type { CoreErrorCode } from '../errors.ts'
import type { FormatOptions } from '../formats/write-format.ts'
import {
  findOutputType,
  type ImageOutputType,
  isImageOutputType,
  OUTPUT_TYPES,
  type OutputType,
} from '../output-types.ts'
import { exportDisk } from '../pipeline/export.ts'
import { inTransaction } from '../pipeline/transaction.ts'
import { type OpenDiskPathOptions, type OpenedDiskPath, openDiskPath } from './open-disk.ts'
import { fileOutput, imageOutput, scratchOutput } from './outputs.ts'

/** Options of {@link convertDiskFile}. */
export interface ConvertDiskFileOptions
  extends OpenDiskPathOptions,
    Pick<FormatOptions, 'qcow2Compression' | 'clock' | 'applianceFirmware'> {
  /** What to write, as `--type` takes it. @defaultValue what the ending of the output's name says */
  readonly type?: string
  /** What the ids of the new file are derived from. @defaultValue the disk's own uuid, else its size */
  readonly seed?: string
  /** Of the machine, as Go names it; a containerDisk says so. @defaultValue 'amd64' */
  readonly architecture?: string
}

/** What was converted. */
export interface ConvertedDisk extends Pick<OpenedDiskPath, 'format' | 'compression' | 'carrier'> {
  /** Bytes that a machine sees. */
  readonly size: number
  readonly type: OutputType | ImageOutputType
  readonly path: string
}

/**
 * Converts a disk: from any format that is read to any that is written, without a partition table having to
 * be on it. Holes stay holes and are not read.
 *
 * @param input as for `openDiskPath`
 * @param output the path of a file; for a containerDisk or an artifact `oci:folder:name` or `oci-archive:file`
 * @throws BootableError `OUTPUT_TYPE_UNKNOWN`, `INSPECT_UNKNOWN`; no file stands half-made then
 */
export async function convertDiskFile(
  input: string,
  output: string,
  options: ConvertDiskFileOptions = {},
): Promise<ConvertedDisk> {
  const type = options.type ?? typeOfName(output)
  const exports = isImageOutputType(type)
    ? { outputs: [], images: [imageOutput(type, output, options)] }
    : { outputs: [fileOutput(findOutputType(type).type, output)] }
  const { signal, onProgress, clock, qcow2Compression, applianceFirmware, architecture } = options
  const opened = await openDiskPath(input, options)
  const { format, compression, carrier, source } = opened
  try {
    await inTransaction(
      async (transaction) =>
        exportDisk(source, exports, transaction, {
          runtime: nodeRuntime,
          seed: options.seed ?? (await identify(opened, options)),
          scratch: () => scratchOutput(dirname(isImageOutputType(type) ? '.' : output)),
          ...(signal && { signal }),
          ...(onProgress && { onProgress }),
          ...(clock !== undefined && { clock }),
          ...(qcow2Compression && { qcow2Compression }),
          ...(applianceFirmware && { applianceFirmware }),
          ...(architecture !== undefined && { architecture }),
        }),
      signal,
    )
    return {
      ...{ format, compression, size: source.size, path: output },
      ...(carrier && { carrier }),
      type: isImageOutputType(type) ? type : findOutputType(type).type,
    }
  } finally {
    await opened.close()
  }
}

/** Two conversions of one disk are to be equal, and those of two disks are not. */
async function identify({ source }: OpenedDiskPath, options: OperationOptions): Promise<string> {
  try {
    return (await openDisk(source, options)).uuid
  } catch (error) {
    if (error instanceof FormatError) return `disk of ${source.size} bytes`
    throw error
  }
}

/** Endings that are not those of the types' own files. */
const ENDINGS: Readonly<Record<string, OutputType>> = {
  img: 'raw',
  'img.gz': 'raw.gz',
  'img.zst': 'raw.zst',
  vpc: 'vhd',
}

function typeOfName(output: string): OutputType {
  const name = basename(output)
  const known = [
    ...OUTPUT_TYPES.map(({ type, file }): [string, OutputType] => [file.slice(file.indexOf('.') + 1), type]),
    ...Object.entries(ENDINGS),
  ].sort(([a], [b]) => b.length - a.length)
  const found = known.find(([ending]) => name.endsWith(`.${ending}`))
  if (found) return found[1]
  throw new BootableError<CoreErrorCode>(
    'OUTPUT_TYPE_UNKNOWN',
    `the name ${output} does not say what to write`,
    {
      details: { output },
      hint: `give --type, or one of the endings ${known.map(([ending]) => `.${ending}`).join(' ')}`,
    },
  )
}
