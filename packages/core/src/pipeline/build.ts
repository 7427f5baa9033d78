import { GiB, type OperationOptions, portableRuntime, type RuntimeOptions } from '@bootable/bytes'
import { writeDisk } from '@bootable/disk'
import type { Image } from '@bootable/oci'
import type { FormatOptions } from '../formats/write-format.ts'
import { findOutputType } from '../output-types.ts'
import { exportDisk } from './export.ts'
import type { MachineOptions } from './options.ts'
import { type DiskOutput, type ImageOutput, memoryOutput, type PendingOutput } from './output.ts'
import { type Machine, prepareMachine } from './prepare.ts'
import { inTransaction } from './transaction.ts'

/** How a machine is written to its outputs. */
export interface WriteOutputsOptions
  extends OperationOptions,
    RuntimeOptions,
    Pick<FormatOptions, 'qcow2Compression'> {
  /** Images that carry the disk. */
  readonly images?: readonly ImageOutput[]
  /** Where the disk is written when no output is raw, and files that nobody keeps. @defaultValue memory */
  readonly scratch?: () => Promise<PendingOutput>
}

/** Options of {@link buildDisk}. */
export interface BuildDiskOptions extends MachineOptions, WriteOutputsOptions {
  readonly image: Image
  /** The artifacts; all are made from one written disk. */
  readonly outputs: readonly DiskOutput[]
}

/**
 * From an image to disks that boot: {@link prepareMachine}, then `writeDisk`, then one container format
 * after the other. When anything fails, or the signal fires, every output is discarded.
 *
 * @throws BootableError of every step
 */
export async function buildDisk(options: BuildDiskOptions): Promise<Machine> {
  const machine = await prepareMachine(options.image, options)
  await writeOutputs(machine, options.outputs, options)
  return machine
}

/**
 * Writes a prepared machine to its outputs: all of them, or none. They get their names at the very end; if
 * one does not, those that have theirs are taken back.
 */
export async function writeOutputs(
  machine: Machine,
  outputs: readonly DiskOutput[],
  options: WriteOutputsOptions = {},
): Promise<void> {
  const { runtime = portableRuntime, signal, onProgress, images = [], qcow2Compression } = options
  const { plan, system, secrets, seed, clock, bootloader } = machine
  const scratch = options.scratch ?? (() => memoryOutput('raw').create())
  const operation = { ...(signal && { signal }), ...(onProgress && { onProgress }), runtime }
  warnOfSize(outputs, plan.size, options)
  const raw = outputs.find(({ type }) => type === 'raw' || type === 'ami')
  await inTransaction(async (transaction) => {
    const { device } = await (raw ? transaction.create(() => raw.create()) : transaction.scratch(scratch))
    await device.truncate(plan.size)
    await writeDisk(plan, system, device, { ...operation, secrets })
    await exportDisk(
      device,
      { outputs, images },
      transaction,
      {
        ...operation,
        ...(qcow2Compression && { qcow2Compression }),
        ...{ seed, clock, scratch, architecture: machine.image.platform.architecture },
        sectorSize: plan.sectorSize as 512 | 4096,
        applianceFirmware: bootloader.firmware.some(({ name }) => name === 'uefi') ? 'efi' : 'bios',
      },
      raw && { output: raw, device },
    )
  }, signal)
}

/** Compute Engine imports disks of whole GiB only. */
function warnOfSize(outputs: readonly DiskOutput[], size: number, { onProgress }: OperationOptions): void {
  if (size % GiB === 0 || !outputs.some(({ type }) => findOutputType(type).format === 'gce')) return
  onProgress?.({
    type: 'warning',
    message: `Compute Engine imports disks of whole GiB; this one has ${size} bytes`,
    hint: 'give a size such as "10 GiB"',
  })
}
