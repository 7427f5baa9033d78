import { formatReference, parseReference } from '@bootable/oci'
import { parse, TomlError } from 'smol-toml'
import type { RepositoryMirror } from '../client/route.ts'
import { registryError } from '../errors.ts'

/** One `[[registry]]` of containers-registries.conf(5), version 2. */
export interface RegistryRule {
  /** `quay.io`, `quay.io/fedora`, `quay.io/fedora/fedora:44`, `*.example.org`. */
  readonly prefix: string
  /** What the prefix is replaced with for reading; a wildcard may have none. */
  readonly location?: string
  readonly insecure: boolean
  readonly blocked: boolean
  /** Their locations stand for the prefix as well. */
  readonly mirrors: readonly RepositoryMirror[]
  /** The file, for messages. */
  readonly path: string
}

/**
 * Reads the `[[registry]]` tables of a file. Short names and the registries to search for them are not read:
 * as for skopeo's `docker://`, a name without a host is one of Docker Hub.
 *
 * @param path of the file, for messages
 * @throws BootableError `CONFIGURATION_INVALID`
 */
export function parseRegistriesConf(text: string, path: string): RegistryRule[] {
  const document = parseToml(text, path)
  if (Object.hasOwn(document, 'registries')) {
    throw invalid(path, 'it is written in version 1 of the format', {
      hint: 'write [[registry]] tables, see containers-registries.conf(5)',
    })
  }
  return tablesOf(document.registry, 'registry', path).map((table) => ruleOf(table, path))
}

type Table = Readonly<Record<string, unknown>>

function ruleOf(table: Table, path: string): RegistryRule {
  const location = textOf(table, 'location', path)
  const prefix = textOf(table, 'prefix', path) ?? location
  if (prefix === undefined) throw invalid(path, 'a [[registry]] has neither a prefix nor a location')
  const isWildcard = prefix.startsWith('*.')
  if (isWildcard ? !DOMAIN.test(prefix.slice(2)) : !isPlace(prefix)) throw notAPlace(prefix, path)
  if (location !== undefined && !isPlace(location)) throw notAPlace(location, path)
  if (location === undefined && !isWildcard)
    throw invalid(path, `the [[registry]] of ${prefix} has no location`)
  const digestOnly = flagOf(table, 'mirror-by-digest-only', path)
  return {
    prefix,
    ...(location !== undefined && { location }),
    insecure: flagOf(table, 'insecure', path),
    blocked: flagOf(table, 'blocked', path),
    mirrors: tablesOf(table.mirror, 'registry.mirror', path).map((each) => mirrorOf(each, digestOnly, path)),
    path,
  }
}

function mirrorOf(table: Table, digestOnly: boolean, path: string): RepositoryMirror {
  const location = textOf(table, 'location', path)
  if (location === undefined) throw invalid(path, 'a [[registry.mirror]] has no location')
  if (!isPlace(location)) throw notAPlace(location, path)
  const pull = textOf(table, 'pull-from-mirror', path) ?? ''
  if (!['', 'all', 'digest-only', 'tag-only'].includes(pull)) {
    throw invalid(path, `pull-from-mirror is ${JSON.stringify(pull)}, not all, digest-only or tag-only`)
  }
  if (digestOnly && pull !== '') {
    const message = 'pull-from-mirror and mirror-by-digest-only exclude each other'
    throw invalid(path, `${message}: ${location}`)
  }
  const insecure = flagOf(table, 'insecure', path)
  return { location, insecure, pull: digestOnly ? 'digest-only' : ((pull || 'all') as 'all') }
}

/** What may follow `*.`: a port or a path after it are not allowed. */
const DOMAIN = /^[\w-]+(\.[\w-]+)*$/

/**
 * `host[:port][/path][:tag|@digest]`. The host has a dot or a port, or is `localhost`: without, the first name
 * of a path would be taken for one of Docker Hub.
 */
function isPlace(text: string): boolean {
  try {
    // The grammar has no reference without a repository.
    return parseReference(text.includes('/') ? text : `${text}/x`).host !== undefined
  } catch {
    return false
  }
}

function notAPlace(text: string, path: string): Error {
  return invalid(path, `${JSON.stringify(text.slice(0, 200))} is not host[:port][/namespace…]`)
}

/**
 * The rule with the longest prefix that a reference begins with, and the length of that part of it.
 * @param reference `host/repository:tag` or `host/repository@digest`
 */
export function findRegistryRule(
  rules: Iterable<RegistryRule>,
  reference: string,
): { readonly rule: RegistryRule; readonly length: number } | undefined {
  let best: { rule: RegistryRule; length: number } | undefined
  for (const rule of rules) {
    const length = matchLength(rule.prefix, reference)
    if (length > 0 && (!best || isCloser(rule, length, best))) best = { rule, length }
  }
  return best
}

/** A wildcard stands for the whole host, whatever its length: names come first, then longer wildcards. */
function isCloser(
  { prefix }: RegistryRule,
  length: number,
  best: { readonly rule: RegistryRule; readonly length: number },
): boolean {
  if (length !== best.length) return length > best.length
  if (!prefix.startsWith('*')) return true
  return best.rule.prefix.startsWith('*') && prefix.length > best.rule.prefix.length
}

function matchLength(prefix: string, reference: string): number {
  const host = reference.slice(0, reference.indexOf('/'))
  if (prefix.startsWith('*.')) {
    // However many names deep, but not the domain itself, and with no other port.
    return host.endsWith(prefix.slice(1)) && host.length > prefix.length - 1 ? host.length : 0
  }
  if (!reference.startsWith(prefix)) return 0
  // `quay.io` is not the start of `quay.io:5000`, nor `quay.io/a` that of `quay.io/ab`.
  const next = prefix.includes('/') ? '/:@' : '/'
  return reference.length === prefix.length || next.includes(reference.charAt(prefix.length))
    ? prefix.length
    : 0
}

/**
 * Another place in the stead of a prefix.
 * @throws BootableError `CONFIGURATION_INVALID` where it would be another tag or digest
 */
export function rewriteReference(reference: string, length: number, location: string, path: string): string {
  const asked = parseReference(reference)
  const text = `${location}${reference.slice(length)}`
  const { host, repository, tag, digest } = parseReference(text)
  if (tag !== asked.tag || digest !== asked.digest) {
    throw invalid(path, `it turns ${reference} into ${text}, another image`)
  }
  return formatReference({ ...(host !== undefined && { host }), repository })
}

function parseToml(text: string, path: string): Table {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const message = error.message.split('\n', 1)[0] ?? ''
    throw invalid(path, `line ${error.line}, column ${error.column}: ${message}`)
  }
}

function tablesOf(value: unknown, name: string, path: string): Table[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.every((each) => typeof each === 'object' && each !== null)) return value
  throw invalid(path, `${name} is not an array of tables: [[${name}]]`)
}

function textOf(table: Table, key: string, path: string): string | undefined {
  const value = table[key]
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string') return value.replace(/\/$/, '')
  throw invalid(path, `${key} is not text`)
}

function flagOf(table: Table, key: string, path: string): boolean {
  const value = table[key] ?? false
  if (typeof value === 'boolean') return value
  throw invalid(path, `${key} is neither true nor false`)
}

function invalid(path: string, reason: string, options: { readonly hint?: string } = {}): Error {
  return registryError('CONFIGURATION_INVALID', `${path}: ${reason}`, { path }, options)
}
