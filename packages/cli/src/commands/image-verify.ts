import { Command } from 'commander'
import { EXIT } from '../exit.ts'
import { formatVerification } from '../render/verification.ts'
import { addPolicyFlags, type PolicyFlags, readPolicyFlags } from './policy-options.ts'

interface VerifyFlags extends PolicyFlags {
  readonly platform?: string
  readonly json?: true
  readonly tlsVerify: boolean
}

/** `bootable image verify`: what a policy says of an image, and why. */
export function imageVerifyCommand(signal: AbortSignal, setStatus: (status: number) => void): Command {
  const command = new Command('verify')
    .description("ask a policy about an image's signatures; without a flag podman's own on this host")
    .argument('<image>', 'as for build')
    .option('--platform <platform>', 'the image for it, such as linux/arm64, where there are several')
    .option('--json', 'print every check of every signature as JSON')
    .option('--no-tls-verify', 'allow plain http and any certificate')
    .addHelpText('after', '\nExit status: 0 accepted, 1 refused, or it could not be found out.')
  return addPolicyFlags(command).action(async (image: string, flags: VerifyFlags) => {
    const { verifyImageSource } = await import('@bootable/core/node')
    const { platform, json, tlsVerify } = flags
    const policy = await readPolicyFlags(flags)
    const verification = await verifyImageSource(image, {
      signal,
      ...(platform !== undefined && { platform }),
      ...(policy && { policy }),
      ...(!tlsVerify && { registry: { insecure: true } }),
    })
    process.stdout.write(
      json ? `${JSON.stringify(verification, undefined, 2)}\n` : formatVerification(verification),
    )
    if (!verification.accepted) setStatus(EXIT.failure)
  })
}
