import { BootableError } from '@bootable/bytes'
import type { CoreErrorCode } from './errors.ts'

/** A disk artifact by the name that `--type` takes. */
export type OutputType = 'raw' | 'ami' | 'qcow2'

/** Where an artifact lies below the output folder, as bootc-image-builder lays it out. */
export interface OutputTypeInfo {
  readonly type: OutputType
  /** Types that share a folder share a file: `raw` and `ami` are the same bytes. */
  readonly folder: string
  readonly file: string
  readonly description: string
}

export const OUTPUT_TYPES: readonly OutputTypeInfo[] = [
  {
    type: 'qcow2',
    folder: 'qcow2',
    file: 'disk.qcow2',
    description: 'QEMU, libvirt, OpenStack (compressed)',
  },
  { type: 'raw', folder: 'image', file: 'disk.raw', description: 'the bytes of the disk, sparse' },
  { type: 'ami', folder: 'image', file: 'disk.raw', description: 'Amazon EC2: the same bytes as raw' },
]

/** @throws BootableError `OUTPUT_TYPE_UNKNOWN` */
export function findOutputType(name: string): OutputTypeInfo {
  const info = OUTPUT_TYPES.find(({ type }) => type === name)
  if (info) return info
  const known = OUTPUT_TYPES.map(({ type }) => type)
  throw new BootableError<CoreErrorCode>('OUTPUT_TYPE_UNKNOWN', `there is no output type "${name}"`, {
    details: { type: name, known },
    hint: `types: ${known.join(', ')}`,
  })
}
