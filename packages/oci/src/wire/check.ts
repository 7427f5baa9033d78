import { decodeUtf8, FormatError } from '@bootable/bytes'

/** Where in which document a value stands: `oci manifest`, `layers[2].size`. */
export interface Place {
  readonly format: string
  readonly path: string
}

/** Looks at one value of a JSON document; throws `FormatError` if it is not what it should be. */
export type Check = (value: unknown, place: Place) => void

/** Checks of an object's fields by name. Fields that are not named are left alone: they are kept. */
export type Fields = Readonly<Record<string, Check>>

/**
 * The JSON value in these bytes.
 * @throws FormatError when they are not UTF-8 or not JSON
 */
export function parseJson(raw: Uint8Array, format: string): unknown {
  const text = decodeUtf8(raw)
  if (text === undefined) {
    throw new FormatError('FORMAT_INVALID', { format, structure: 'document' }, 'it is not UTF-8')
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    const message = `it is not JSON: ${(cause as SyntaxError).message.slice(0, 200)}`
    throw new FormatError('FORMAT_INVALID', { format, structure: 'document' }, message, { cause })
  }
}

/** An object that has all of `required`, and of `optional` what it likes. */
export function object(required: Fields, optional: Fields = {}): Check {
  return (value, place) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw mismatch(place, 'an object', value)
    }
    const fields = value as Record<string, unknown>
    for (const [name, check] of Object.entries(required)) {
      if (!Object.hasOwn(fields, name)) throw mismatch(below(place, name), 'a value', undefined)
      check(fields[name], below(place, name))
    }
    for (const [name, check] of Object.entries(optional)) {
      if (Object.hasOwn(fields, name)) check(fields[name], below(place, name))
    }
  }
}

/** An array, every item of which passes. */
export function list(item: Check): Check {
  return (value, place) => {
    if (!Array.isArray(value)) throw mismatch(place, 'an array', value)
    for (const [index, each] of value.entries()) item(each, { ...place, path: `${place.path}[${index}]` })
  }
}

/** An object of any names, every value of which passes. */
export function record(item: Check): Check {
  return (value, place) => {
    object({})(value, place)
    for (const [name, each] of Object.entries(value as object)) item(each, below(place, name.slice(0, 80)))
  }
}

/** A string, of a pattern if one is given. */
export function text(pattern?: RegExp, what = 'a string'): Check {
  return (value, place) => {
    if (typeof value !== 'string' || (pattern && !pattern.test(value))) throw mismatch(place, what, value)
  }
}

/** One of these values. */
export function literal(...allowed: readonly (string | number | boolean)[]): Check {
  return (value, place) => {
    if (!(allowed as readonly unknown[]).includes(value)) {
      throw mismatch(place, allowed.map((each) => JSON.stringify(each)).join(' or '), value)
    }
  }
}

/** `true` or `false`. */
export const flag: Check = literal(true, false)

/** A whole number from 0 to 2^53 − 1. */
export const count: Check = (value, place) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw mismatch(place, 'a count of bytes', value)
}

/** A field that must not be there. */
export function absent(reason: string): Check {
  return (value, place) => {
    throw mismatch(place, `nothing (${reason})`, value)
  }
}

/** What passes the check, or `null`: how Go writes an empty list or map. */
export function nullable(check: Check): Check {
  return (value, place) => {
    if (value !== null) check(value, place)
  }
}

function below(place: Place, name: string): Place {
  return { ...place, path: place.path === '' ? name : `${place.path}.${name}` }
}

function mismatch({ format, path }: Place, expected: string, value: unknown): FormatError {
  // Not JSON of the whole value: it may be large, or nested deeper than the call stack.
  const isText = typeof value === 'string'
  const actual = isText ? value.slice(0, 200) : typeof value === 'object' && value ? kindOf(value) : value
  const shown = actual === undefined ? 'missing' : isText ? JSON.stringify(actual) : String(actual)
  return new FormatError(
    'FORMAT_INVALID',
    { format, structure: path === '' ? 'document' : path, expected, actual },
    `it is ${shown}, not ${expected}`,
  )
}

function kindOf(value: object): string {
  return Array.isArray(value) ? 'an array' : 'an object'
}
