import { FormatError, type FormatErrorCode } from '@bootable/bytes'
import { NO_PARENT } from './format.ts'

/** The disk controllers that a vmdk can ask for. */
export type VmdkAdapterType = 'ide' | 'buslogic' | 'lsilogic' | 'legacyESX'

export const ADAPTER_TYPES: readonly VmdkAdapterType[] = ['ide', 'buslogic', 'lsilogic', 'legacyESX']

/** The values of a descriptor that we write. */
export interface DescriptorValues {
  /** 32 bits that change with the content. */
  readonly cid: number
  readonly sectors: number
  /** Name of the file, as the descriptor tells where the extent is. */
  readonly fileName: string
  readonly adapterType: VmdkAdapterType
}

const SECTORS_PER_TRACK = 63

/** The descriptor of a stream-optimised disk, in the words of `qemu-img`. */
export function formatDescriptor({ cid, sectors, fileName, adapterType }: DescriptorValues): string {
  // VMware gives IDE disks 16 heads and all others 255.
  const heads = adapterType === 'ide' ? 16 : 255
  return `# Disk DescriptorFile
version=1
CID=${cid.toString(16)}
parentCID=${NO_PARENT}
createType="streamOptimized"

# Extent description
RW ${sectors} SPARSE "${fileName}"

# The Disk Data Base
#DDB

ddb.virtualHWVersion = "4"
ddb.geometry.cylinders = "${Math.floor(sectors / (SECTORS_PER_TRACK * heads))}"
ddb.geometry.heads = "${heads}"
ddb.geometry.sectors = "${SECTORS_PER_TRACK}"
ddb.adapterType = "${adapterType}"
ddb.toolsVersion = "2147483647"
`
}

/** What a descriptor says. */
export interface VmdkDescriptor {
  readonly createType: string
  /** Eight hexadecimal digits at most, as they stand there. */
  readonly cid: string
  readonly adapterType?: string
}

/**
 * Reads the descriptor of a disk that lies in one file with it. One with a parent or of several files is
 * refused: an image must not make its reader open paths of the image's choosing.
 *
 * @throws FormatError
 */
export function parseDescriptor(text: string, offset: number): VmdkDescriptor {
  const fail = (code: FormatErrorCode, message: string): never => {
    throw new FormatError(code, { format: 'vmdk', structure: 'descriptor', offset }, message)
  }
  const values = new Map<string, string>()
  let extents = 0
  for (const line of text.split(/\r?\n/)) {
    const equals = line.indexOf('=')
    const key = line.slice(0, Math.max(0, equals)).trim()
    if (/^[A-Za-z][\w.]*$/.test(key)) values.set(key, unquote(line.slice(equals + 1).trim()))
    else if (/^\s*(RW|RDONLY|NOACCESS)\s/.test(line)) extents++
  }
  const createType = values.get('createType') ?? fail('FORMAT_INVALID', 'it names no createType')
  if (createType !== 'streamOptimized' && createType !== 'monolithicSparse') {
    fail('FORMAT_UNSUPPORTED', `createType ${createType}: streamOptimized and monolithicSparse are read`)
  }
  if (extents !== 1) fail('FORMAT_UNSUPPORTED', `${extents} extents; a disk in one file has one`)
  const parent = values.get('parentCID') ?? NO_PARENT
  if (parent.toLowerCase() !== NO_PARENT)
    fail('FORMAT_UNSUPPORTED', `its parent is the disk of CID ${parent}`)
  const adapterType = values.get('ddb.adapterType')
  return {
    createType,
    cid: values.get('CID') ?? fail('FORMAT_INVALID', 'it has no CID'),
    ...(adapterType === undefined ? {} : { adapterType }),
  }
}

function unquote(text: string): string {
  const start = text.startsWith('"') ? 1 : 0
  return text.endsWith('"') ? text.slice(start, -1) : text.slice(start)
}
