import { utf8 } from '@bootable/bytes'
import { Command } from 'commander'
import { describeMachine } from '../render/machine.ts'
import { createRenderer } from '../render/progress.ts'
import { addMachineFlags, type MachineFlags, readMachineFlags } from './machine-options.ts'

interface PlanFlags extends MachineFlags {
  readonly json?: true
  readonly svg?: string
}

/** `bootable plan`: what `build` would write, without writing it. */
export function planCommand(signal: AbortSignal): Command {
  const command = new Command('plan')
    .description('show the disk that build would write')
    .argument('<image>', 'as for build')
    .option('--json', 'print the plan as JSON')
    .option('--svg <file>', 'draw the disk into a file; - prints the picture instead of the table')
  return addMachineFlags(command).action(async (image: string, flags: PlanFlags) => {
    const { planDiskFiles } = await import('@bootable/core/node')
    const { formatPlan } = await import('../render/plan.ts')
    const render = createRenderer('auto')
    const { options, warnings } = await readMachineFlags(image, flags)
    for (const { key, message } of warnings) render.event({ type: 'warning', message: `${key} ${message}` })
    const machine = await planDiskFiles({ ...options, signal, onProgress: render.event }).finally(
      render.finish,
    )
    if (flags.svg !== undefined) {
      const { drawPlan } = await import('@bootable/core')
      const picture = drawPlan(machine.plan)
      if (flags.svg === '-') {
        process.stdout.write(picture)
        return
      }
      const { writeOutputFile } = await import('@bootable/bytes/node')
      await writeOutputFile(flags.svg, (file) => file.write(0, utf8(picture)))
    }
    process.stdout.write(
      flags.json ? `${JSON.stringify(describeMachine(machine), undefined, 2)}\n` : formatPlan(machine),
    )
  })
}
