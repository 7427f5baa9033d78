import type { Policy } from '@bootable/signatures'
import { type Command, Option } from 'commander'

/** Flags that say which images are trusted. */
export interface PolicyFlags {
  readonly policy?: string
  readonly verifyKey?: string
}

/** Adds the flags of {@link PolicyFlags} to a command. */
export function addPolicyFlags(command: Command): Command {
  return command
    .option('--policy <file>', "policy.json that has to accept the image; host for podman's own policy")
    .addOption(
      new Option('--verify-key <file>', 'public key by which the image has to be signed').conflicts('policy'),
    )
}

/** The policy that the flags ask for. Without a flag nothing is asked of an image, as the library has it. */
export async function readPolicyFlags({ policy, verifyKey }: PolicyFlags): Promise<Policy | undefined> {
  if (verifyKey !== undefined) {
    const { keyPolicy } = await import('@bootable/signatures')
    const { checkPublicKey } = await import('@bootable/signatures/node')
    const key = { path: verifyKey }
    await checkPublicKey(key)
    return keyPolicy([key])
  }
  if (policy === undefined) return undefined
  const { loadPolicy } = await import('@bootable/signatures/node')
  return loadPolicy(policy === 'host' ? undefined : policy)
}
