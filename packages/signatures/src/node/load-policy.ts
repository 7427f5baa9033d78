import { access } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { BootableError } from '@bootable/bytes'
import type { SignaturesErrorCode } from '../errors.ts'
import { parsePolicy } from '../policy/parse.ts'
import type { Policy } from '../policy/types.ts'
import { readTrust } from './trust-source.ts'

/** Where podman and skopeo look for a policy, in their order: the first that is there is the only one. */
export function defaultPolicyPaths(home: string = homedir()): string[] {
  return [join(home, '.config/containers/policy.json'), '/etc/containers/policy.json']
}

/**
 * The policy in a file, or the one that podman and skopeo would use on this host. Paths of keys in it are
 * read when an image is judged.
 * @throws BootableError `POLICY_UNREADABLE`, `POLICY_INVALID`
 */
export async function loadPolicy(path?: string): Promise<Policy> {
  const found = path ?? (await firstThatExists(defaultPolicyPaths()))
  try {
    return parsePolicy(await readTrust({ path: found }))
  } catch (error) {
    if (!BootableError.is(error, 'POLICY_INVALID')) throw error
    const { message, details, hint } = error
    throw new BootableError<SignaturesErrorCode>('POLICY_INVALID', `${found}: ${message}`, {
      details: { ...details, file: found },
      ...(hint !== undefined && { hint }),
      cause: error,
    })
  }
}

async function firstThatExists(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    // Anything but absence, such as a folder that may not be looked into, comes up when it is read.
    const isAbsent = await access(path).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT' || error.code === 'ENOTDIR',
    )
    if (!isAbsent) return path
  }
  throw new BootableError<SignaturesErrorCode>(
    'POLICY_UNREADABLE',
    `there is no policy in ${paths.join(' or ')}`,
    {
      details: { paths },
      hint: 'name the file, or write one as containers-policy.json(5) describes it',
    },
  )
}
