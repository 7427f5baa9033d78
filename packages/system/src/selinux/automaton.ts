import type { ByteSet } from './byte-set.ts'
import type { Pattern } from './pattern.ts'

/** A place in the patterns, and where one gets from it. Most places have one way; the rest is not made. */
interface State {
  readonly id: number
  /** By the next byte. */
  bytes?: Map<number, State>
  /** The end of what a pattern adds here, by how it is written: the beginnings that patterns share. */
  items?: Map<string, State>
  set?: { readonly accepted: ByteSet; readonly to: State }
  /** Without reading a byte; `atStart` and `atEnd` only before the first byte and behind the last. */
  empty?: State[]
  atStart?: State[]
  atEnd?: State[]
  /** Number of the pattern that ends here. */
  accepts?: number
  /** The last search that met this place. */
  met?: number
}

/** All places at which the patterns can be after the same bytes. */
interface Configuration {
  /** Sorted: two configurations are equal if these are. */
  readonly ids: Uint32Array
  readonly states: readonly State[]
  readonly next: Map<number, Configuration>
  /** Patterns that match when nothing follows, the last first; found when first asked for. */
  matches?: readonly number[]
}

/** Five times the places of Debian's policy: a bound for what a hostile one makes us remember. */
const MAX_STATES = 250_000

/** Some tens of megabytes of configurations. */
const MAX_REMEMBERED = 2_000_000

/** The patterns have more places than this page wants to hold. */
export class AutomatonLimitError extends Error {
  override get name(): string {
    return 'AutomatonLimitError'
  }
}

/**
 * Tells which of many patterns match a text, all in one pass over its bytes.
 *
 * A nondeterministic automaton of all patterns, made deterministic as far as the texts need it, as in RE2.
 * The time for a text is bounded by its length times the places of the patterns, which no backtracking
 * matcher can promise: a pattern of every refpolicy, `/usr/(local/)?.*\.so(\.[^/]*)*`, takes time exponential
 * in the dots of a file name there.
 */
export class Automaton {
  private size = 0
  private searches = 0
  private remembered = 0
  /** By a hash of their ids; all forgotten when they become too many. */
  private readonly configurations = new Map<number, Configuration[]>()
  private readonly first: Configuration

  private readonly limit: number

  /**
   * @param limit places in all configurations that are remembered at once
   * @throws AutomatonLimitError
   */
  constructor(patterns: Iterable<readonly [number: number, pattern: Pattern]>, limit = MAX_REMEMBERED) {
    this.limit = limit
    const start = this.state()
    for (const [number, pattern] of patterns) this.add(pattern, number, start)
    this.first = this.configuration(this.reach([start], 'atStart'))
  }

  /** Numbers of the patterns that match the whole text, the largest first. */
  match(text: Uint8Array): readonly number[] {
    let configuration = this.first
    let before = configuration
    for (let index = 0; index < text.length; index++) {
      const value = text[index] as number
      before = configuration
      configuration = configuration.next.get(value) ?? this.step(configuration, value)
      if (configuration.states.length === 0 && index < text.length - 1) return []
    }
    const found = this.matchesOf(configuration)
    // `$` of PCRE also matches before a newline that ends the text (without PCRE2_DOLLAR_ENDONLY).
    if (text.length === 0 || text[text.length - 1] !== 0x0a) return found
    return [...new Set([...found, ...this.matchesOf(before)])].sort((a, b) => b - a)
  }

  /** Leads from the start along the places of the patterns before it, as far as it is written as one of them. */
  private add(pattern: Pattern, number: number, start: State): void {
    let state = start
    for (const item of pattern.kind === 'sequence' ? pattern.items : [pattern]) {
      if (item.kind === 'byte') {
        state = this.behind(state, item.value)
        continue
      }
      const end: State = state.items?.get(item.source ?? '') ?? this.build(item, this.branch(state))
      state.items ??= new Map()
      if (item.source !== undefined) state.items.set(item.source, end)
      state = end
    }
    this.branch(state).accepts = number
  }

  private state(): State {
    if (++this.size > MAX_STATES) {
      throw new AutomatonLimitError(`the regexes have more than ${MAX_STATES} places together`)
    }
    return { id: this.size }
  }

  /** A fresh place next to one that other patterns may share. */
  private branch(from: State): State {
    const state = this.state()
    connect(from, 'empty', state)
    return state
  }

  /** Where a byte leads from a place; made where it leads nowhere yet. */
  private behind(from: State, value: number): State {
    from.bytes ??= new Map()
    const known = from.bytes.get(value)
    if (known) return known
    const state = this.state()
    from.bytes.set(value, state)
    return state
  }

  /** Adds the places of a pattern behind `from`, which nothing leaves yet; answers the one at its end. */
  private build(pattern: Pattern, from: State): State {
    switch (pattern.kind) {
      case 'byte':
        return this.behind(from, pattern.value)
      case 'bytes': {
        const to = this.state()
        from.set = { accepted: pattern.set, to }
        return to
      }
      case 'sequence':
        return pattern.items.reduce((state, item) => this.build(item, state), from)
      case 'choice': {
        const to = this.state()
        for (const item of pattern.items) connect(this.build(item, this.branch(from)), 'empty', to)
        return to
      }
      case 'repeat':
        return this.repeat(pattern, from)
      case 'start':
      case 'end': {
        const to = this.state()
        connect(from, pattern.kind === 'start' ? 'atStart' : 'atEnd', to)
        return to
      }
    }
  }

  private repeat({ item, min, max }: Extract<Pattern, { kind: 'repeat' }>, from: State): State {
    let state = from
    for (let count = 0; count < min; count++) state = this.build(item, this.branch(state))
    const to = this.state()
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.branch(state)
      connect(this.build(item, this.branch(loop)), 'empty', loop)
      connect(loop, 'empty', to)
      return to
    }
    for (let count = min; count < max; count++) {
      connect(state, 'empty', to)
      state = this.build(item, this.branch(state))
    }
    connect(state, 'empty', to)
    return to
  }

  private step(from: Configuration, value: number): Configuration {
    const arrived: State[] = []
    for (const { bytes, set } of from.states) {
      const shared = bytes?.get(value)
      if (shared) arrived.push(shared)
      if (set?.accepted[value]) arrived.push(set.to)
    }
    const configuration = this.configuration(this.reach(arrived))
    from.next.set(value, configuration)
    return configuration
  }

  /** The configuration of these places, remembered so that it is made once. */
  private configuration(states: readonly State[]): Configuration {
    const ids = new Uint32Array(states.length)
    for (let index = 0; index < ids.length; index++) ids[index] = (states[index] as State).id
    ids.sort()
    const hash = hashOf(ids)
    const bucket = this.configurations.get(hash) ?? []
    const known = bucket.find((configuration) => equalIds(configuration.ids, ids))
    if (known) return known
    this.remembered += states.length + 1
    if (this.remembered > this.limit) this.forget()
    const made: Configuration = { ids, states, next: new Map() }
    this.configurations.set(hash, [...bucket, made])
    return made
  }

  private matchesOf(configuration: Configuration): readonly number[] {
    if (configuration.matches) return configuration.matches
    const ends = configuration.states.filter(({ atEnd, accepts }) => (atEnd ?? accepts) !== undefined)
    configuration.matches = this.reach(ends, 'atEnd')
      .flatMap(({ accepts }) => accepts ?? [])
      .sort((a, b) => b - a)
    return configuration.matches
  }

  /**
   * These places and all that are reached from them without reading a byte, each visited once. Those from
   * which no byte leads on, and where nothing ends, are left out.
   */
  private reach(from: readonly State[], edge?: 'atStart' | 'atEnd'): State[] {
    const search = ++this.searches
    const found: State[] = []
    const pending = [...from]
    for (let state = pending.pop(); state; state = pending.pop()) {
      if (state.met === search) continue
      state.met = search
      const { bytes, set, atEnd, accepts, empty } = state
      if ((bytes ?? set ?? atEnd ?? accepts) !== undefined) found.push(state)
      if (empty) for (const next of empty) pending.push(next)
      if (edge && state[edge]) for (const next of state[edge]) pending.push(next)
    }
    return found
  }

  private forget(): void {
    this.configurations.clear()
    this.first.next.clear()
    this.remembered = 0
  }
}

/** FNV-1a over the ids. */
function hashOf(ids: Uint32Array): number {
  let hash = 0x811c9dc5
  for (const id of ids) hash = Math.imul(hash ^ id, 0x01000193)
  return hash
}

function equalIds(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index])
}

function connect(from: State, edge: 'empty' | 'atStart' | 'atEnd', to: State): void {
  const known = from[edge]
  if (known) known.push(to)
  else from[edge] = [to]
}
