import type { Blueprint, UserCustomization } from './blueprint.ts'
import type { BlueprintIssue, BlueprintWarning } from './issues.ts'
import { blueprintError, collectIssues, formatPath, locate, valueAt } from './issues.ts'
import { issuesOfTheRest } from './rest.ts'
import { document, UNSUPPORTED_CUSTOMIZATIONS, UNSUPPORTED_TOP_LEVEL } from './schema/customizations.ts'
import { disk } from './schema/disk.ts'
import { parseJson } from './text/json.ts'
import type { LocatedDocument, PositionMap, ValuePath } from './text/position.ts'
import { TextSyntaxError } from './text/position.ts'
import { parseToml } from './text/toml.ts'

/** Options of {@link loadBlueprint}. */
export interface LoadBlueprintOptions {
  readonly format: 'json' | 'toml'
  /** Stands in front of the places in messages. @defaultValue `blueprint` */
  readonly name?: string
}

/** A blueprint that has been checked, and what of it will not be heeded. */
export interface LoadedBlueprint {
  readonly blueprint: Blueprint
  readonly warnings: readonly BlueprintWarning[]
}

/**
 * Reads a blueprint from text, by the rules of bootc-image-builder: unknown keys are errors, keys that
 * mean nothing for a bootable container are warnings. JSON may be wrapped as `{"blueprint": {…}}`; in
 * TOML a filesystem may say `size` for `minsize`; unknown keys in the `disk` of JSON are warnings, but for
 * those about encryption.
 *
 * @throws BootableError `BLUEPRINT_INVALID`, one for all mistakes, with line and column of each in the
 * message and in `details.issues` ({@link BlueprintIssue})
 */
export function loadBlueprint(text: string, options: LoadBlueprintOptions): LoadedBlueprint {
  const { format, name = 'blueprint' } = options
  let located: LocatedDocument
  try {
    // A byte order mark is what some editors leave in front of either format.
    const plain = text.replace(/^\ufeff/, '')
    located = format === 'json' ? parseJson(plain) : parseToml(plain)
  } catch (error) {
    if (!(error instanceof TextSyntaxError)) throw error
    throw blueprintError(name, [{ path: [], message: error.message, ...error.position }], error)
  }
  const { value, positions } = located
  if (format === 'toml') return check(value, { name, positions, aliases: true })
  const wrapped = valueAt(value, ['blueprint'])
  if (wrapped === undefined) return check(value, { name, positions, lenientDisk: true })
  const strangers = Object.keys(value as object).filter((key) => key !== 'blueprint')
  if (strangers.length > 0) {
    const issues = strangers.map((key) => ({ path: [key], message: 'cannot stand beside "blueprint"' }))
    throw blueprintError(
      name,
      issues.map((issue) => locate(issue, positions, [])),
    )
  }
  return check(wrapped, { name, positions, prefix: ['blueprint'], lenientDisk: true })
}

/**
 * Checks a blueprint that a program has made, with the rules of {@link loadBlueprint}.
 * @throws BootableError `BLUEPRINT_INVALID`
 */
export function parseBlueprint(data: unknown, options: { readonly name?: string } = {}): LoadedBlueprint {
  return check(data, { name: options.name ?? 'blueprint' })
}

interface Source {
  readonly name: string
  readonly positions?: PositionMap
  /** From the document to the blueprint inside it. */
  readonly prefix?: ValuePath
  /** `size` for `minsize`. */
  readonly aliases?: boolean
  /** Unknown keys inside `disk` do not stop the loading. */
  readonly lenientDisk?: boolean
}

function check(given: unknown, source: Source): LoadedBlueprint {
  const { positions, prefix = [] } = source
  const warnings: (BlueprintWarning & { readonly path: ValuePath })[] = []
  const fail = (issues: readonly BlueprintIssue[], cause?: unknown): never => {
    const located = issues.map((issue) => locate(issue, positions, prefix))
    throw blueprintError(source.name, located, cause)
  }

  let data = given
  if (source.aliases) {
    const { value, issues } = replaceSizeAlias(given)
    if (issues.length > 0) fail(issues)
    data = value
  }
  if (source.lenientDisk) {
    const unknown = collectIssues(document.safeParse(data).error?.issues ?? [], data).filter(isUnknownDiskKey)
    data = withoutPaths(data, unknown)
    for (const { path } of unknown) {
      warnings.push({ path, key: formatPath(path), message: 'is not a key of a blueprint, and ignored' })
    }
  }

  const result = document.safeParse(data)
  if (!result.success) {
    const issues = collectIssues(result.error.issues, data)
    return fail([...issues, ...otherDiskIssues(data, issues)], result.error)
  }
  for (const path of unsupportedPaths(result.data)) {
    warnings.push({
      path,
      key: formatPath(path),
      message: 'is not supported for bootable containers, and ignored',
    })
  }
  return {
    blueprint: normalize(result.data),
    warnings: warnings.map((warning) => {
      const { path: _, ...rest } = locate(warning, positions, prefix)
      return rest
    }),
  }
}

const DISK: ValuePath = ['customizations', 'disk']

/** What else is wrong with a partition table in which something has the wrong shape. */
function otherDiskIssues(data: unknown, issues: readonly BlueprintIssue[]): BlueprintIssue[] {
  const within = issues.filter(({ path }) => DISK.every((part, index) => path[index] === part))
  const relative = within.map((issue) => ({ ...issue, path: issue.path.slice(DISK.length) }))
  const others = issuesOfTheRest(disk, valueAt(data, DISK), relative, { fs_type: 'none', minsize: 0 })
  return others.map((issue) => ({ ...issue, path: [...DISK, ...issue.path] }))
}

type Document = ReturnType<typeof document.parse>

/** Whoever misspells a key of encryption must not get a disk without. */
const ENCRYPTION_KEYS = /cry|luks|pass/i

function isUnknownDiskKey({ path, message }: BlueprintIssue): boolean {
  return (
    path[0] === 'customizations' &&
    path[1] === 'disk' &&
    path.length > 2 &&
    message === 'is not a key of a blueprint' &&
    !path.some((part) => ENCRYPTION_KEYS.test(String(part)))
  )
}

function withoutPaths(data: unknown, unwanted: readonly BlueprintIssue[]): unknown {
  if (unwanted.length === 0) return data
  const copy = structuredClone(data)
  for (const { path } of unwanted) {
    const parent = valueAt(copy, path.slice(0, -1)) as Record<string, unknown>
    delete parent[String(path[path.length - 1])]
  }
  return copy
}

function replaceSizeAlias(given: unknown): { value: unknown; issues: BlueprintIssue[] } {
  const path = ['customizations', 'filesystem']
  const issues: BlueprintIssue[] = []
  if (!Array.isArray(valueAt(given, path))) return { value: given, issues }
  const value = structuredClone(given)
  const filesystems = valueAt(value, path) as Record<string, unknown>[]
  filesystems.forEach((filesystem, index) => {
    if (valueAt(filesystem, ['size']) === undefined) return
    if (filesystem.minsize !== undefined) {
      issues.push({
        path: [...path, index, 'size'],
        message: 'is another word for "minsize": give one of them',
      })
    }
    filesystem.minsize = filesystem.size
    delete filesystem.size
  })
  return { value, issues }
}

function unsupportedPaths({ customizations = {}, ...top }: Document): ValuePath[] {
  const paths: ValuePath[] = UNSUPPORTED_TOP_LEVEL.filter((key) => top[key] !== undefined).map((key) => [key])
  for (const key of UNSUPPORTED_CUSTOMIZATIONS) {
    if (customizations[key] !== undefined) paths.push(['customizations', key])
  }
  if (customizations.kernel?.name !== undefined) paths.push(['customizations', 'kernel', 'name'])
  for (const key of ['application_id', 'publisher'] as const) {
    if (customizations.iso?.[key] !== undefined) paths.push(['customizations', 'iso', key])
  }
  return paths
}

/** Leaves what is heeded, with the legacy keys of users in their new place. */
function normalize({ name, description, version, customizations = {} }: Document): Blueprint {
  const {
    user,
    group,
    sshkey,
    kernel,
    bootloader,
    filesystem,
    disk,
    files,
    directories,
    ignition,
    updates,
    installer,
    fips,
    iso,
  } = customizations
  const users = mergeKeys(user ?? [], sshkey ?? [])
  return {
    ...defined({ name, description, version }),
    customizations: defined({
      user: users.length > 0 ? users : undefined,
      group,
      kernel: kernel && defined({ append: kernel.append }),
      bootloader,
      filesystem,
      disk,
      files,
      directories,
      ignition,
      updates,
      installer,
      fips,
      iso: iso && defined({ volume_id: iso.volume_id }),
    }),
  }
}

function mergeKeys(
  users: readonly UserCustomization[],
  sshkeys: readonly { readonly user: string; readonly key: string }[],
): UserCustomization[] {
  const merged = new Map(users.map((user) => [user.name, user]))
  for (const { user: name, key } of sshkeys) {
    const user = merged.get(name) ?? { name }
    merged.set(name, { ...user, key: user.key === undefined ? key : `${user.key.trimEnd()}\n${key}` })
  }
  return [...merged.values()]
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> }

function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>
}
