import { BootableError, decodeUtf8, readAll } from '@bootable/bytes'
import { type FileTree, findFile } from '@bootable/tree'
import type { OstreeErrorCode } from '../errors.ts'

/** A key file of GLib (Desktop Entry Specification, "Basic format of the file"): values by group and key. */
export interface KeyFile {
  /** Names of the groups in the order of the file. */
  readonly groups: readonly string[]
  /** A value as `g_key_file_get_string` answers it; the last one where a key stands twice. */
  get(group: string, key: string): string | undefined
}

/** Configuration of ostree is a few lines; a longer file is something else. */
const MAX_KEY_FILE = 1_048_576

/**
 * Reads a key file. Comments and blank lines are passed over.
 * @param name stands in front of messages
 * @throws BootableError `OSTREE_INVALID_KEY_FILE` with the number of the line
 */
export function parseKeyFile(text: string, name: string): KeyFile {
  const groups = new Map<string, Map<string, string>>()
  let group: Map<string, string> | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const header = /^\[([^[\]]+)\]$/.exec(trimmed)
    if (header) {
      const title = header[1] as string
      group = groups.get(title) ?? new Map()
      groups.set(title, group)
      continue
    }
    const equals = trimmed.indexOf('=')
    if (!group || equals < 1) {
      const reason = group ? 'neither a group nor a key with a value' : 'a value before the first group'
      throw invalid(name, `line ${index + 1} is ${reason}`)
    }
    group.set(trimmed.slice(0, equals).trimEnd(), unescapeValue(trimmed.slice(equals + 1).trimStart()))
  }
  return { groups: [...groups.keys()], get: (title, key) => groups.get(title)?.get(key) }
}

/**
 * Reads a key file of a tree, links followed; `undefined` where there is none.
 * @throws BootableError `OSTREE_INVALID_KEY_FILE`
 */
export async function readKeyFile(tree: FileTree, path: string): Promise<KeyFile | undefined> {
  const file = findFile(tree, path)
  if (!file) return undefined
  if (file.content.size > MAX_KEY_FILE) throw invalid(`/${path}`, `${file.content.size} bytes are too many`)
  const text = decodeUtf8(await readAll(file.content))
  if (text === undefined) throw invalid(`/${path}`, 'it is not UTF-8')
  return parseKeyFile(text, `/${path}`)
}

const ESCAPES: Readonly<Record<string, string>> = { s: ' ', n: '\n', t: '\t', r: '\r', '\\': '\\' }

/** Unknown escapes stay as they are: ostree reads most values without looking at them. */
function unescapeValue(value: string): string {
  return value.replace(/\\(.)/g, (all, letter: string) => ESCAPES[letter] ?? all)
}

/**
 * A key file as GLib writes it: groups and keys in their order, an empty line before every group but the first.
 */
export function formatKeyFile(groups: Readonly<Record<string, Readonly<Record<string, string>>>>): string {
  const texts = Object.entries(groups).map(([name, keys]) => {
    const lines = Object.entries(keys).map(([key, value]) => `${key}=${escapeValue(value)}\n`)
    return `[${name}]\n${lines.join('')}`
  })
  return texts.join('\n')
}

/** `g_key_file_set_string`: blanks are escaped where they lead, the others everywhere. */
function escapeValue(value: string): string {
  return value.replace(/^[ \t]+|[\n\r\\]/g, (found) => [...found].map(escapeCharacter).join(''))
}

function escapeCharacter(character: string): string {
  const letter = Object.keys(ESCAPES).find((key) => ESCAPES[key] === character)
  return letter === undefined ? character : `\\${letter}`
}

function invalid(name: string, message: string): BootableError<OstreeErrorCode> {
  return new BootableError('OSTREE_INVALID_KEY_FILE', `${name}: ${message}`, {
    details: { file: name },
    hint: 'the format is that of GLib: [group], and key=value below it',
  })
}
