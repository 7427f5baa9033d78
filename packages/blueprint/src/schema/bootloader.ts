import * as z from 'zod'
import type { BootloaderCustomization } from '../blueprint.ts'

// They become words of a script.
const terminals = z.array(
  z
    .string()
    .regex(/^[\w-]+$/, { error: 'must be the name of a terminal of GRUB, such as serial or console' }),
)

export const bootloader = z.strictObject({
  grub2: z
    .strictObject({
      terminal_input: terminals.exactOptional().meta({ description: 'Where GRUB takes keys from' }),
      terminal_output: terminals.exactOptional().meta({ description: 'Where GRUB shows its menu' }),
      serial: z
        .string()
        .regex(/^serial(?: +[\w=.,:+-]+)*$/, {
          error: "must be GRUB's command for a serial port, such as serial --unit=0 --speed=115200",
        })
        .exactOptional()
        .meta({ description: 'The command that prepares a serial port' }),
    })
    .exactOptional()
    .meta({ description: "Terminals of GRUB's menu" }),
}) satisfies z.ZodType<BootloaderCustomization>
