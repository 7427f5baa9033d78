import { Command } from 'commander'
import { EXIT } from '../exit.ts'
import { formatUpdateCheck } from '../render/update.ts'

interface CheckUpdateFlags {
  readonly image?: string
  readonly json?: true
  readonly tlsVerify: boolean
}

/** `bootable check-update`: would the machine on a disk find an update? */
export function checkUpdateCommand(signal: AbortSignal, setStatus: (status: number) => void): Command {
  return new Command('check-update')
    .description('compare the image on a disk with what its registry has now')
    .argument('<disk>', 'a disk file of any format, in the ostree layout')
    .option('--image <address>', 'look there in place of where the machine does')
    .option('--json', 'print the comparison as JSON')
    .option('--no-tls-verify', 'allow plain http and any certificate')
    .addHelpText('after', '\nExit status: 0 up to date, 100 there is an update, 1 it could not be found out.')
    .action(async (disk: string, { image, json, tlsVerify }: CheckUpdateFlags) => {
      const { checkDiskFileUpdate } = await import('@bootable/core/node')
      const check = await checkDiskFileUpdate(disk, {
        signal,
        ...(image !== undefined && { image }),
        ...(!tlsVerify && { registry: { insecure: true } }),
      })
      process.stdout.write(json ? `${JSON.stringify(check, undefined, 2)}\n` : formatUpdateCheck(check))
      if (check.changed) setStatus(EXIT.updateAvailable)
    })
}
