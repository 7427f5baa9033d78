import { Option } from 'commander'

/** What `--type` takes; the test of this file compares it with what there is. */
export const TYPES =
  'qcow2, raw, ami, vmdk, ova, vhd, vhdx, gce; raw, vhd and vhdx also with .gz or .zst behind; containerdisk, artifact'

/** How a qcow2 is compressed inside. */
export function qcow2CompressionOption(): Option {
  return new Option('--qcow2-compression <method>', 'inside of a qcow2; zstd needs QEMU 5.1').choices([
    'zlib',
    'zstd',
    'none',
  ])
}
