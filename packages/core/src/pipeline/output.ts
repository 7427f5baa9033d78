import { type BlockDevice, BootableError, type ByteSink, memorySink } from '@bootable/bytes'
import type { CoreErrorCode } from '../errors.ts'
import type { ComposedImage } from '../images/stream-store.ts'
import type { ImageOutputType, OutputType } from '../output-types.ts'

/** The medium of one artifact while it is written. */
export type OutputDevice = BlockDevice & ByteSink

/** An artifact under way. `discard` is called when the build fails, also after `commit`. */
export interface PendingOutput {
  /** Empty and of size 0; a raw disk is first given its size by `truncate`. */
  readonly device: OutputDevice
  /** Gives the artifact its final name. */
  commit(): Promise<void>
  /** Removes what was written, and takes a commit back. */
  discard(): Promise<void>
}

/** Where one artifact goes. */
export interface DiskOutput {
  readonly type: OutputType
  /** What the file will be called: descriptors inside of vmdk and ova say so. @defaultValue `OutputTypeInfo.file` */
  readonly fileName?: string
  create(): Promise<PendingOutput>
}

/** A place for an image that carries the disk. */
export interface ImageOutput {
  readonly type: ImageOutputType
  /**
   * Stores the image. Nothing stays behind if it fails.
   * @returns takes the image back, should the build fail later
   */
  put(image: ComposedImage): Promise<() => Promise<void>>
}

/** An output in memory, for tests and small machines. */
export interface MemoryOutput extends DiskOutput {
  /** What was built. @throws BootableError `OUTPUT_MISSING` before a build has succeeded */
  device(): BlockDevice
}

export function memoryOutput(type: OutputType): MemoryOutput {
  let committed: BlockDevice | undefined
  return {
    type,
    async create() {
      const device = memorySink()
      return {
        device,
        async commit() {
          committed = device
        },
        async discard() {
          committed = undefined
        },
      }
    },
    device() {
      if (committed) return committed
      throw new BootableError<CoreErrorCode>('OUTPUT_MISSING', `no ${type} has been built`)
    },
  }
}
