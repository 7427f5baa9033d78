import {
  type ByteSink,
  type ByteSource,
  concatBytes,
  type OperationOptions,
  portableRuntime,
  type RuntimeOptions,
  sliceSource,
  streamSource,
  toHex,
  utf8,
} from '@bootable/bytes'
import { type OptionProblem, refuseProblems } from '../blocks/errors.ts'
import { ARCHIVE_END, encodeTarHeader, memberSize } from '../tar/header.ts'
import { writeVmdk } from '../vmdk/index.ts'
import { formatOvf, type OvfMachine } from './ovf.ts'

/** Options of {@link writeOva}. */
export interface WriteOvaOptions extends OperationOptions, RuntimeOptions {
  /** What the ids in the descriptors are derived from. */
  readonly seed: string
  /** What people call the machine. @defaultValue the name of the files */
  readonly name?: string
  /** Name of the files in the archive, without endings: letters, digits, `.`, `_`, `-`. @defaultValue 'image' */
  readonly fileName?: string
  /** @defaultValue 2 */
  readonly cpus?: number
  /** MiB. @defaultValue 4096 */
  readonly memory?: number
  /** What the disk starts on. @defaultValue 'efi' */
  readonly firmware?: 'bios' | 'efi'
  /** Compression of the vmdk, 1 (fast) to 9 (small). @defaultValue 6 */
  readonly level?: number
  /** Seconds since 1970 that the members bear. @defaultValue 0 */
  readonly time?: number
}

/** What was written. */
export interface OvaSummary {
  /** Bytes of the disk. */
  readonly size: number
  /** Bytes of the file. */
  readonly fileSize: number
}

/** A medium that can be read back: the digest of the disk stands before the disk. */
export type OvaTarget = ByteSink & Pick<ByteSource, 'read'>

/**
 * Writes a disk as an appliance: a tar with the descriptor, the digests, and a stream-optimised vmdk
 * (DMTF DSP0243 1.1, 5). The vmdk goes straight to its place; what stands before it is written last, so that
 * a cut run leaves nothing that passes for an appliance.
 *
 * @throws BootableError `CONTAINER_OPTIONS_INVALID`, `CONTAINER_LIMIT` before anything is written
 */
export async function writeOva(
  source: ByteSource,
  target: OvaTarget,
  options: WriteOvaOptions,
): Promise<OvaSummary> {
  const { fileName = 'image', name = fileName, cpus = 2, memory = 4096, time = 0 } = options
  const { runtime = portableRuntime, firmware = 'efi', seed, signal } = options
  checkOptions({ name, fileName, cpus, memory })
  const files = { ovf: `${fileName}.ovf`, mf: `${fileName}.mf`, vmdk: `${fileName}.vmdk` }
  const describe = (diskFileSize: number): Uint8Array => {
    const machine = { name, diskFile: files.vmdk, diskFileSize, capacity: source.size, cpus, memory }
    return utf8(formatOvf({ ...machine, firmware, seed } satisfies OvfMachine))
  }
  const digestsOf = (ovf: string, vmdk: string): Uint8Array =>
    utf8(`SHA256(${files.ovf})= ${ovf}\nSHA256(${files.vmdk})= ${vmdk}\n`)

  // The length of the vmdk is not known yet, but how many digits it may have; blanks fill the rest.
  const ovfSize = describe(Number.MAX_SAFE_INTEGER).length
  const mfSize = digestsOf(NO_DIGEST, NO_DIGEST).length
  const start = memberSize(ovfSize) + memberSize(mfSize) + HEADER
  const place: ByteSink = {
    write: (offset, data) => target.write(start + offset, data),
    truncate: (size) => target.truncate(start + size),
  }
  const { size, fileSize } = await writeVmdk(source, place, { ...options, fileName: files.vmdk })

  const hash = runtime.createHash('sha256')
  const written: ByteSource = { size: start + fileSize, read: (offset, into) => target.read(offset, into) }
  const vmdk = sliceSource(written, start, fileSize)
  for await (const chunk of streamSource(vmdk, signal ? { signal } : {})) hash.update(chunk)
  const vmdkDigest = toHex(hash.digest())

  const ovf = new Uint8Array(ovfSize).fill(0x20)
  ovf.set(describe(fileSize))
  const ovfDigest = toHex(runtime.createHash('sha256').update(ovf).digest())
  const member = (file: string, content: Uint8Array): Uint8Array => {
    const block = new Uint8Array(memberSize(content.length))
    block.set(encodeTarHeader({ name: file, size: content.length, mtime: time }, 'ustar'))
    block.set(content, HEADER)
    return block
  }
  const end = start - HEADER + memberSize(fileSize) + ARCHIVE_END
  await target.truncate(end)
  await target.write(
    0,
    concatBytes([
      member(files.ovf, ovf),
      member(files.mf, digestsOf(ovfDigest, vmdkDigest)),
      encodeTarHeader({ name: files.vmdk, size: fileSize, mtime: time }, 'ustar'),
    ]),
  )
  return { size, fileSize: end }
}

const HEADER = memberSize(0)
const NO_DIGEST = '0'.repeat(64)

function checkOptions({
  name,
  fileName,
  cpus,
  memory,
}: Required<Pick<WriteOvaOptions, 'name' | 'fileName' | 'cpus' | 'memory'>>): void {
  const problems: OptionProblem[] = []
  if (!/^[A-Za-z0-9._-]{1,90}$/.test(fileName)) {
    problems.push({
      option: 'fileName',
      message: `${JSON.stringify(fileName)} is not 1 to 90 letters, digits, dots, dashes and underscores`,
    })
  }
  // XML 1.0 has no way to write the other control characters.
  if (!/^[^\p{Cc}\p{Cs}\uFFFE\uFFFF]{1,80}$/u.test(name)) {
    const message = `${JSON.stringify(name.slice(0, 100))} is not 1 to 80 characters of a name`
    problems.push({ option: 'name', message })
  }
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > 768) {
    problems.push({ option: 'cpus', message: `${cpus}; 1 to 768 are possible` })
  }
  if (!Number.isInteger(memory) || memory < 4 || memory % 4 !== 0) {
    problems.push({ option: 'memory', message: `${memory} MiB; VMware asks for a multiple of 4 MiB` })
  }
  refuseProblems('ova', problems)
}
