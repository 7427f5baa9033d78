import { BootableError, decodeUtf8 } from '@bootable/bytes'
import type { SignaturesErrorCode } from '../errors.ts'

/** An object of a policy; every field has to be taken out of it by name. */
export type PolicyObject = Readonly<Record<string, unknown>>

/** Reads one value of a policy, which stands at `path`. */
export type Reader<T> = (value: unknown, path: string) => T

/**
 * The JSON value in these bytes. A name that stands twice in an object is refused, as Go's reader of this
 * file does: two tools could otherwise take the same policy for two.
 */
export function parseStrictJson(raw: Uint8Array): unknown {
  const text = decodeUtf8(raw)
  if (text === undefined) throw invalid('', 'it is not UTF-8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid('', `it is not JSON: ${(cause as SyntaxError).message.slice(0, 200)}`)
  }
  refuseTwins(text)
  return value
}

/** Walks through valid JSON and keeps the names of every object that is open. */
function refuseTwins(text: string): void {
  const open: (Set<string> | undefined)[] = []
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}[\]]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token.endsWith(':')) {
      const name = JSON.parse(token.slice(0, token.lastIndexOf('"') + 1)) as string
      const names = open.at(-1)
      if (names?.has(name)) throw invalid(name, 'it stands there twice')
      names?.add(name)
    }
  }
}

/** An object that has fields of these names only. */
export function readObject(value: unknown, path: string, allowed?: readonly string[]): PolicyObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(path, 'it is not an object')
  }
  const unknown = allowed && Object.keys(value).find((name) => !allowed.includes(name))
  if (unknown !== undefined) throw invalid(below(path, unknown), 'there is no such key')
  return value as PolicyObject
}

/** A text that is not empty. */
export const readText: Reader<string> = (value, path) => {
  if (typeof value !== 'string' || value === '') throw invalid(path, 'it is not a text')
  return value
}

/** A list of at least one. */
export function readList<T>(value: unknown, path: string, item: Reader<T>): T[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid(path, 'it is not a list of at least one')
  return value.map((each, index) => item(each, `${path}[${index}]`))
}

export function below(path: string, name: string): string {
  return path === '' ? name.slice(0, 200) : `${path}.${name.slice(0, 200)}`
}

export function invalid(path: string, reason: string): BootableError<SignaturesErrorCode> {
  const place = path === '' ? 'policy' : `policy: ${path}`
  return new BootableError('POLICY_INVALID', `${place}: ${reason}`, {
    details: { path, reason },
    hint: 'the format is described in containers-policy.json(5)',
  })
}
