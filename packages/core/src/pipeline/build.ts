import { type OperationOptions, portableRuntime, type RuntimeOptions } from '@bootable/bytes'
import { writeDisk } from '@bootable/disk'
import { writeQcow2 } from '@bootable/disk/qcow2'
import type { Image } from '@bootable/oci'
import type { MachineOptions } from './options.ts'
import { type DiskOutput, memoryOutput, type OutputDevice, type PendingOutput } from './output.ts'
import { type Machine, prepareMachine } from './prepare.ts'

/** Options of {@link buildDisk}. */
export interface BuildDiskOptions extends MachineOptions {
  readonly image: Image
  /** The artifacts; all are made from one written disk. */
  readonly outputs: readonly DiskOutput[]
  /** Where the disk is written when no output is raw. @defaultValue memory */
  readonly scratch?: () => Promise<PendingOutput>
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

/** Options of {@link writeOutputs}. */
export interface WriteOutputsOptions extends OperationOptions, RuntimeOptions {
  /** See {@link BuildDiskOptions.scratch}. */
  readonly scratch?: () => Promise<PendingOutput>
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
  const { runtime = portableRuntime, signal, onProgress } = options
  const operation = { ...(signal && { signal }), ...(onProgress && { onProgress }), runtime }
  const pending: PendingOutput[] = []
  const create = async (make: () => Promise<PendingOutput>): Promise<PendingOutput> => {
    const output = await make()
    pending.push(output)
    return output
  }
  const raw = outputs.find(({ type }) => type !== 'qcow2')
  let scratch: PendingOutput | undefined
  try {
    let disk: PendingOutput
    if (raw) disk = await create(() => raw.create())
    else disk = scratch = await create(options.scratch ?? (() => memoryOutput('raw').create()))
    await disk.device.truncate(machine.plan.size)
    await writeDisk(machine.plan, machine.system, disk.device, operation)

    for (const output of outputs) {
      signal?.throwIfAborted()
      if (output === raw) continue
      const { device } = await create(() => output.create())
      if (output.type === 'qcow2') await writeQcow2(disk.device, device, { ...operation, compress: true })
      else await copyDevice(disk.device, device, signal)
    }
    signal?.throwIfAborted()
    for (const output of pending) if (output !== scratch) await output.commit()
    await scratch?.discard()
  } catch (error) {
    // What cannot be removed is not the reason why the build failed.
    await Promise.allSettled(pending.map((output) => output.discard()))
    throw error
  }
}

const COPY_CHUNK = 4 * 1024 * 1024

async function copyDevice(
  from: OutputDevice,
  to: OutputDevice,
  signal: AbortSignal | undefined,
): Promise<void> {
  await to.truncate(from.size)
  for await (const { offset, length } of from.dataRanges()) {
    for (let done = 0; done < length; done += COPY_CHUNK) {
      signal?.throwIfAborted()
      const chunk = new Uint8Array(Math.min(COPY_CHUNK, length - done))
      await from.read(offset + done, chunk)
      await to.write(offset + done, chunk)
    }
  }
}
