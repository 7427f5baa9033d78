import { Command } from 'commander'
import { describeMachine } from '../render/machine.ts'
import { createRenderer } from '../render/progress.ts'
import { addMachineFlags, type MachineFlags, readMachineFlags } from './machine-options.ts'

/** `bootable plan`: what `build` would write, without writing it. */
export function planCommand(signal: AbortSignal): Command {
  const command = new Command('plan')
    .description('show the disk that build would write')
    .argument('<image>', 'as for build')
    .option('--json', 'print the plan as JSON')
  return addMachineFlags(command).action(async (image: string, flags: MachineFlags & { json?: true }) => {
    const { planDiskFiles } = await import('@bootable/core/node')
    const { formatPlan } = await import('../render/plan.ts')
    const render = createRenderer('auto')
    const { options, warnings } = await readMachineFlags(image, flags)
    for (const { key, message } of warnings) render.event({ type: 'warning', message: `${key} ${message}` })
    const machine = await planDiskFiles({ ...options, signal, onProgress: render.event }).finally(
      render.finish,
    )
    process.stdout.write(
      flags.json ? `${JSON.stringify(describeMachine(machine), undefined, 2)}\n` : formatPlan(machine),
    )
  })
}
