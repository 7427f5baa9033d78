import { BootableError } from '@bootable/bytes'
import type * as z from 'zod'
import type { PositionMap, TextPosition, ValuePath } from './text/position.ts'

export type BlueprintErrorCode = 'BLUEPRINT_INVALID'

/** One thing that is wrong with a blueprint. Line and column are absent where there is no text. */
export interface BlueprintIssue {
  readonly path: ValuePath
  readonly message: string
  readonly line?: number
  readonly column?: number
}

/** A key that was understood and will not be heeded. */
export interface BlueprintWarning {
  /** Dotted, as people write it: `customizations.hostname`. */
  readonly key: string
  readonly message: string
  readonly line?: number
  readonly column?: number
}

/** `customizations.user[0].name`: a path as people write it. */
export function formatPath(path: ValuePath): string {
  let text = ''
  for (const part of path) text += typeof part === 'number' ? `[${part}]` : text === '' ? part : `.${part}`
  return text
}

/**
 * Issues of zod in our own form: one for each unknown key, and a missing key by its plain name.
 * @param document what the keys are of
 */
export function collectIssues(
  issues: readonly z.core.$ZodIssue[],
  data: unknown,
  document = 'a blueprint',
): BlueprintIssue[] {
  return issues.flatMap((issue): BlueprintIssue[] => {
    const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, key], message: `is not a key of ${document}` }))
    }
    // Schemas say `error` where zod's own words would not help; those go through as they are.
    const own = issue.message.startsWith('Invalid input') ? undefined : issue.message
    const shapeless = ['invalid_type', 'invalid_union', 'invalid_value'].includes(issue.code)
    if (shapeless && valueAt(data, path) === undefined) {
      return [{ path, message: own === undefined ? 'is missing' : `is missing: it ${own}` }]
    }
    if (issue.code === 'invalid_type') return [{ path, message: own ?? `must be ${noun(issue.expected)}` }]
    return [{ path, message: issue.message }]
  })
}

const NOUNS: Readonly<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a whole number',
  boolean: 'true or false',
  array: 'an array',
  object: 'a table',
}

function noun(expected: string): string {
  return NOUNS[expected] ?? expected
}

/** The value at a path of plain data; `undefined` where there is none. */
export function valueAt(data: unknown, path: ValuePath): unknown {
  let value = data
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string | number, unknown>)[part]
  }
  return value
}

/** Adds the place in the text. `prefix` leads from the document to the blueprint inside it. */
export function locate<T extends { readonly path: ValuePath }>(
  issue: T,
  positions: PositionMap | undefined,
  prefix: ValuePath,
): T & Partial<TextPosition> {
  return positions ? { ...issue, ...positions.find([...prefix, ...issue.path]) } : issue
}

/** One error for all issues; the message lists them in the order of the text. */
export function blueprintError(
  name: string,
  issues: readonly BlueprintIssue[],
  cause?: unknown,
): BootableError<BlueprintErrorCode> {
  const sorted = [...issues].sort(
    (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  )
  const lines = sorted.map(({ path, message, line, column }) => {
    const place = line === undefined ? name : `${name}:${line}:${column}`
    return `${place}: ${path.length === 0 ? '' : `${formatPath(path)} `}${message}`
  })
  const [only] = lines
  const text =
    lines.length === 1
      ? only
      : `${lines.length} mistakes in ${name}\n${lines.map((line) => `  ${line}`).join('\n')}`
  return new BootableError('BLUEPRINT_INVALID', `${text}`, { details: { name, issues: sorted }, cause })
}
