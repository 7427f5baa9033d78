import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Command, type CommandResult, prepareCommand } from './command.ts'
import { type HandMadeImage, writeLayout } from './images.ts'

/** Builds from images that are made by hand, most of which fail. */
export interface Attempts {
  readonly command: Command
  /** A folder for images. */
  readonly folder: string
  /** Writes the image and builds it. */
  attempt(image: HandMadeImage, args?: readonly string[], input?: string): Promise<CommandResult>
  /** Builds a raw disk and a qcow2; where that fails, the output folder is checked to hold nothing. */
  build(image: string, args?: readonly string[], input?: string): Promise<CommandResult>
}

/** Prepares an unprivileged user for {@link Attempts}. `close` of the command must be called. */
export async function prepareAttempts(): Promise<Attempts> {
  const command = await prepareCommand()
  const folder = command.folder()
  let count = 0
  const build: Attempts['build'] = async (image, args = [], input) => {
    const output = join(command.folder(), 'output')
    const flags = ['build', '--no-cache', '--type', 'raw', '--type', 'qcow2', '--output', output]
    const result = await command.run([...flags, ...args, image], input === undefined ? {} : { input })
    if (result.status !== 0) expect(filesIn(output)).toEqual([])
    return result
  }
  return {
    command,
    folder,
    build,
    attempt(image, args, input) {
      const layout = join(folder, `case-${count++}`)
      writeLayout(layout, image)
      return build(`oci:${layout}`, args, input)
    },
  }
}

/** Names of the files below a folder; none where there is no folder. */
export function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
  } catch {
    return []
  }
}

/** Expects a build to have failed with that message: what happened and what to do, no stack of calls. */
export function expectFailure(result: CommandResult, message: RegExp, status = 1): void {
  expect(result.stderr).toMatch(message)
  expect(result.status, result.stderr).toBe(status)
  expect(result.stderr).not.toMatch(/\n\s+at /)
}
