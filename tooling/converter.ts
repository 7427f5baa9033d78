import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DiskPlan } from '@bootable/disk'
import { type Command, prepareCommand } from './command.ts'
import { runOk } from './oracles.ts'

/** Turns fixture images into machines by the command line, as a user without privileges. */
export interface Converter {
  readonly command: Command
  /** The user's own folder. */
  readonly folder: string
  /** Path of the private key whose public half the configuration was made with. */
  readonly identity: string
  /**
   * Runs `bootable build` with the configuration; answers the output folder, below {@link folder}.
   *
   * @param more - customizations besides those of the configuration
   */
  build(args: readonly string[], into: string, more?: object): Promise<string>
  /** The same for `bootable plan --json`. */
  plan(args: readonly string[], more?: object): Promise<{ readonly disk: DiskPlan }>
}

/**
 * Prepares a user with a configuration, a key and a cache of layers. `close` of its command must be called.
 *
 * @param customizations - of the blueprint, from the public key
 */
export async function prepareConverter(customizations: (publicKey: string) => object): Promise<Converter> {
  const command = await prepareCommand()
  const folder = command.folder()
  // The key is root's, who runs ssh; the user who builds sees only its public half.
  const secrets = join(folder, 'secrets')
  mkdirSync(secrets, { mode: 0o700 })
  const identity = join(secrets, 'key')
  await runOk('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'anna@test', '-f', identity])
  const key = readFileSync(`${identity}.pub`, 'utf8').trim()
  const usual = customizations(key)
  async function bootable(args: readonly string[], more: object): Promise<string> {
    const input = JSON.stringify({ blueprint: { customizations: { ...usual, ...more } } })
    const flags = ['--config', '-', '--cache', join(folder, 'cache')]
    const { status, stdout, stderr } = await command.run([...args, ...flags], { input, cwd: folder })
    if (status === 0) return stdout
    throw new Error(`bootable ${args.join(' ')} ended with status ${status}:\n${stderr}`)
  }
  return {
    command,
    folder,
    identity,
    async build(args, into, more = {}) {
      const output = join(folder, into)
      await bootable(['build', '--output', output, ...args], more)
      return output
    },
    plan: async (args, more = {}) => JSON.parse(await bootable(['plan', '--json', ...args], more)),
  }
}
