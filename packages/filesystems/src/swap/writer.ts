import type { BlockDevice, OperationOptions, Uuid } from '@bootable/bytes'
import { BootableError, formatSize, utf8, uuidToBytes } from '@bootable/bytes'
import { MAGIC, MAX_PAGES, MIN_PAGES, PAGE_SIZES, SwapHeader, VERSION } from './format.ts'

/** What the swap writer refuses. */
export type SwapErrorCode =
  /** An option contradicts the format. */
  | 'SWAP_OPTION_INVALID'
  /** The device has fewer than ten pages. */
  | 'SWAP_NO_SPACE'

/** A swap area. */
export interface SwapArea {
  readonly uuid: Uuid
  /** Empty for none. */
  readonly label: string
  /** Bytes of a page. A kernel with pages of another size does not take the area. */
  readonly pageSize: number
  /** Bytes that can be swapped to: whole pages, the header's own left out. */
  readonly size: number
}

/** Options of {@link writeSwap}. */
export interface WriteSwapOptions extends OperationOptions {
  /** The uuid by which fstab finds it. */
  readonly uuid: Uuid
  /** At most 15 bytes. @defaultValue none */
  readonly label?: string
  /** 4096, 8192, 16384 or 65536: that of the kernel which is to use it. @defaultValue 4096 */
  readonly pageSize?: number
}

/**
 * Makes a device a swap area, as mkswap(8) does: one page is written, the rest is left as it is.
 *
 * @throws BootableError with a {@link SwapErrorCode}
 */
export async function writeSwap(device: BlockDevice, options: WriteSwapOptions): Promise<SwapArea> {
  const { signal, label = '', pageSize = 4096 } = options
  signal?.throwIfAborted()
  if (!(PAGE_SIZES as readonly number[]).includes(pageSize)) {
    throw invalid('pageSize', pageSize, `must be one of ${PAGE_SIZES.join(', ')}`)
  }
  const volume = utf8(label)
  if (volume.length > 15 || volume.includes(0)) {
    throw invalid('label', label, 'must have at most 15 bytes, none of them zero')
  }
  const pages = Math.min(Math.floor(device.size / pageSize), MAX_PAGES)
  if (pages < MIN_PAGES) {
    throw new BootableError<SwapErrorCode>(
      'SWAP_NO_SPACE',
      `a swap area needs ${MIN_PAGES} pages of ${pageSize} bytes, the device has ${device.size} bytes (${formatSize(device.size)})`,
      { details: { minimum: MIN_PAGES * pageSize, size: device.size } },
    )
  }
  const page = new Uint8Array(pageSize)
  SwapHeader.write(page, 0, {
    version: VERSION,
    lastPage: pages - 1,
    uuid: uuidBytes(options.uuid),
    volume: String.fromCharCode(...volume),
  })
  page.set(utf8(MAGIC), pageSize - MAGIC.length)
  await device.write(0, page)
  return { uuid: options.uuid.toLowerCase(), label, pageSize, size: (pages - 1) * pageSize }
}

function uuidBytes(uuid: Uuid): Uint8Array {
  try {
    return uuidToBytes(uuid)
  } catch {
    throw invalid('uuid', uuid, 'must be a uuid')
  }
}

function invalid(option: string, value: unknown, expected: string): BootableError<SwapErrorCode> {
  return new BootableError('SWAP_OPTION_INVALID', `${option} ${JSON.stringify(value)}: ${expected}`, {
    details: { option, value },
  })
}
