import { BootableError } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { parse } from 'smol-toml'
import { readText } from './edit.ts'
import type { SystemErrorCode } from './errors.ts'

/** A table of a TOML file that knows its place, so that a value of the wrong type can be named. */
export interface TomlTable {
  table(key: string): TomlTable
  text(key: string): string | undefined
  flag(key: string): boolean | undefined
  texts(key: string): readonly string[] | undefined
}

/**
 * Reads a configuration file of the image. Keys that nobody asks for are nobody's concern.
 * @throws BootableError `CONFIGURATION_INVALID` with file and key, or line and column
 */
export async function readTomlFile(tree: FileTree, path: string): Promise<TomlTable> {
  const text = (await readText(tree, path)) ?? ''
  let value: unknown
  try {
    value = parse(text, { maxDepth: 64 })
  } catch (cause) {
    throw invalid(path, `is not TOML: ${(cause as Error).message.split('\n')[0]}`, cause)
  }
  return tomlTable(path, '', value)
}

function tomlTable(path: string, prefix: string, value: unknown): TomlTable {
  const get = <T>(key: string, type: string, is: (found: unknown) => found is T): T | undefined => {
    const found = (value as Record<string, unknown>)[key]
    if (found === undefined || is(found)) return found
    throw invalid(path, `${prefix}${key} must be ${type}`)
  }
  return {
    table: (key) => tomlTable(path, `${prefix}${key}.`, get(key, 'a table', isTable) ?? {}),
    text: (key) => get(key, 'text', (found) => typeof found === 'string'),
    flag: (key) => get(key, 'true or false', (found) => typeof found === 'boolean'),
    texts: (key) => get(key, 'an array of texts', isTexts),
  }
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function invalid(path: string, message: string, cause?: unknown): BootableError<SystemErrorCode> {
  return new BootableError('CONFIGURATION_INVALID', `/${path} of the image ${message}`, {
    details: { path },
    cause,
  })
}
