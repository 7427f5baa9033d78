import { BootableError, utf8 } from '@bootable/bytes'
import type { FileTree } from '@bootable/tree'
import { findDirectory } from '@bootable/tree'
import { readText } from '../edit.ts'
import type { SystemErrorCode } from '../errors.ts'
import { Automaton, AutomatonLimitError } from './automaton.ts'
import type { FileContext, InodeType, PathSubstitution } from './file-contexts.ts'
import { formatOf, parseFileContexts, parseSubstitutions, substitutePath } from './file-contexts.ts'
import { type Pattern, PatternError, parsePattern } from './pattern.ts'

/** The SELinux policy of an image, as far as it says how files are labelled. */
export interface SelinuxPolicy {
  /** `SELINUXTYPE`, such as `targeted`: the folder of the policy below `etc/selinux`. */
  readonly type: string
  readonly mode: 'enforcing' | 'permissive'
  /**
   * The context of a path as selabel_lookup_raw(3) answers it, without the NUL that ends it in the
   * attribute; `undefined` where nothing matches or the policy says `<<none>>`.
   *
   * @param path absolute, as the running system sees it
   */
  label(path: string, inode: InodeType): string | undefined
}

/** Options of {@link readSelinuxPolicy}. */
export interface ReadSelinuxPolicyOptions {
  /** Where the configuration is: `etc`, or `usr/etc` in a commit. @defaultValue the first of both that has one */
  readonly etc?: string
}

/**
 * The policy that a tree has installed and switched on.
 *
 * `undefined` is the ordinary case of an image without SELinux: no `selinux/config`, `SELINUX=disabled` (or
 * anything but enforcing and permissive), no `SELINUXTYPE`, or no `policy/policy.NN` of that type. The texts
 * are read, never the compiled `file_contexts.bin`.
 *
 * @throws BootableError `CONFIGURATION_INVALID` with file and line where libselinux could not use the policy,
 * or a regex needs what no automaton does (looking around, back references, atomic groups, possessive
 * quantifiers, flags)
 */
export async function readSelinuxPolicy(
  tree: FileTree,
  options: ReadSelinuxPolicyOptions = {},
): Promise<SelinuxPolicy | undefined> {
  const places = options.etc === undefined ? ['etc', 'usr/etc'] : [options.etc]
  for (const etc of places) {
    const text = await readText(tree, `${etc}/selinux/config`)
    if (text === undefined) continue
    const { mode, type } = parseConfig(text)
    if (mode === undefined || type === undefined) return undefined
    return readPolicyFolder(tree, `${etc}/selinux/${type}`, type, mode)
  }
  return undefined
}

/** selinux_config(5): blanks around a line do not count, the mode is told from its beginning. */
function parseConfig(text: string): { mode?: SelinuxPolicy['mode']; type?: string } {
  const lines = text.split('\n').map((line) => line.trim())
  const value = (key: string): string | undefined =>
    lines
      .findLast((line) => line.startsWith(`${key}=`))
      ?.slice(key.length + 1)
      .trim()
  const word = value('SELINUX')?.toLowerCase() ?? ''
  const mode = (['enforcing', 'permissive'] as const).find((name) => word.startsWith(name))
  const type = value('SELINUXTYPE')
  return { ...(mode && { mode }), ...(type && { type }) }
}

async function readPolicyFolder(
  tree: FileTree,
  folder: string,
  type: string,
  mode: SelinuxPolicy['mode'],
): Promise<SelinuxPolicy | undefined> {
  const policies = findDirectory(tree, `${folder}/policy`)?.entries.keys() ?? []
  if (![...policies].some((name) => /^policy\.\d+$/.test(name))) return undefined

  const base = `${folder}/contexts/files/file_contexts`
  const read = (suffix: string): Promise<string | undefined> => readText(tree, `${base}${suffix}`)
  const [contexts, homes, local, subs, distribution] = await Promise.all(
    ['', '.homedirs', '.local', '.subs', '.subs_dist'].map(read),
  )
  if (contexts === undefined) {
    throw new BootableError<SystemErrorCode>(
      'CONFIGURATION_INVALID',
      `the SELinux policy ${type} is switched on, but /${base} is missing`,
      { details: { path: base }, hint: 'install the policy package whole, or set SELINUX=disabled' },
    )
  }
  const specs = [
    ...parseFileContexts(contexts, base),
    ...parseFileContexts(homes ?? '', `${base}.homedirs`),
    ...parseFileContexts(local ?? '', `${base}.local`),
  ]
  const substitutions = [parseSubstitutions(subs ?? ''), parseSubstitutions(distribution ?? '')]
  return { type, mode, label: createLookup(specs, substitutions) }
}

/**
 * The search of libselinux: aliases are replaced, those of `.subs` before those of `.subs_dist`; then the
 * last line that fits wins, where lines without regex operators count as later than all others.
 *
 * libselinux 3.8 and newer stray from that in three corners, into which no policy built by semodule gets:
 * of two equal literal lines of one file the first wins; `<<none>>` of a longer fixed beginning wins over a
 * later line of a shorter one; and `/a/b/?(c)?` is not found for `/a/b`.
 */
function createLookup(
  specs: readonly FileContext[],
  substitutions: readonly (readonly PathSubstitution[])[],
): SelinuxPolicy['label'] {
  const literals = new Map<string, FileContext[]>()
  const patterns: [number, Pattern][] = []
  for (const [number, spec] of specs.entries()) {
    if (spec.literal === undefined) {
      patterns.push([number, readPattern(spec)])
      continue
    }
    const known = literals.get(spec.literal)
    if (known) known.push(spec)
    else literals.set(spec.literal, [spec])
  }
  const automaton = buildAutomaton(patterns)
  return (path, inode) => {
    const clean = path.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '')
    const key = substitutions.reduce(substitutePath, clean)
    const format = formatOf(inode)
    const fits = (spec: FileContext | undefined): boolean => spec?.format === 0 || spec?.format === format
    const literal = literals.get(key)?.findLast(fits)
    if (literal) return literal.context
    const number = automaton.match(utf8(key)).find((match) => fits(specs[match]))
    return number === undefined ? undefined : specs[number]?.context
  }
}

function readPattern({ regex, place }: FileContext): Pattern {
  try {
    return parsePattern(regex)
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    throw new BootableError<SystemErrorCode>(
      'CONFIGURATION_INVALID',
      `${place}: ${regex} cannot be used because of what character ${error.offset + 1} begins: ${error.message}`,
      {
        details: { place, regex, offset: error.offset },
        hint: 'write it as an ordinary regular expression: no looking around, back references or atomic groups',
        cause: error,
      },
    )
  }
}

function buildAutomaton(patterns: readonly [number, Pattern][]): Automaton {
  try {
    return new Automaton(patterns)
  } catch (error) {
    if (!(error instanceof AutomatonLimitError)) throw error
    throw new BootableError<SystemErrorCode>('POLICY_TOO_LARGE', `the SELinux policy: ${error.message}`, {
      hint: 'counts such as {1,1000} are what makes a regex large',
      cause: error,
    })
  }
}
