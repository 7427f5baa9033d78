import { Command } from 'commander'
import { formatReport } from '../render/report.ts'

/** `bootable inspect`: what an image or a disk holds. */
export function inspectCommand(signal: AbortSignal): Command {
  return new Command('inspect')
    .description('show what an image, an archive or a disk holds')
    .argument('<subject>', 'a disk file of any format, or an image as for build')
    .option('--json', 'print the report as JSON')
    .option('--no-tls-verify', 'allow plain http and any certificate')
    .action(async (subject: string, flags: { json?: true; tlsVerify: boolean }) => {
      const { inspectFile } = await import('@bootable/core/node')
      const registry = flags.tlsVerify ? {} : { registry: { insecure: true } }
      const report = await inspectFile(subject, { signal, ...registry })
      process.stdout.write(flags.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatReport(report))
    })
}
