/** One way of authenticating that a server offers: RFC 9110, 11.3. */
export interface Challenge {
  /** Lower case: `basic`, `bearer`. */
  readonly scheme: string
  /** By name in lower case; of a repeated parameter the first. */
  readonly parameters: ReadonlyMap<string, string>
  /** The other form of a challenge, as `Negotiate` uses it. */
  readonly token68?: string
}

/** RFC 9110, 5.6.2. */
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const SEPARATORS = /[\s,]*/y
const EQUALS = /[ \t]*=[ \t]*/y
const QUOTED = /"((?:[^"\\]|\\.)*)(?:"|$)/y
/** Real servers leave the quotes off values such as `https://host/token`. */
const UNQUOTED = /[^\s,"]*/y
const TOKEN68 = /[0-9A-Za-z._~+/-]+=*(?=[ \t]*(?:,|$))/y

/**
 * Parses the value of `WWW-Authenticate`: several challenges in one line, several lines joined with
 * commas, commas inside of quotes.
 *
 * What cannot be understood is passed over; nothing is thrown, since the next challenge may be a good one.
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = []
  let position = 0
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = position
    const match = pattern.exec(header)
    if (match) position = pattern.lastIndex
    return match ?? undefined
  }

  let parameters: Map<string, string> | undefined
  for (;;) {
    take(SEPARATORS)
    if (position >= header.length) return challenges
    const name = take(TOKEN)?.[0].toLowerCase()
    if (name === undefined) {
      position++
      continue
    }
    if (parameters && take(EQUALS)) {
      const value = takeValue(take)
      if (!parameters.has(name)) parameters.set(name, value)
      continue
    }
    // A name without `=` is the scheme of the next challenge, or the only word of one.
    parameters = new Map()
    const token68 = header[position] === ' ' ? takeToken68(take) : undefined
    challenges.push({ scheme: name, parameters, ...(token68 !== undefined && { token68 }) })
  }
}

type Take = (pattern: RegExp) => RegExpExecArray | undefined

function takeValue(take: Take): string {
  const quoted = take(QUOTED)?.[1]
  return quoted?.replaceAll(/\\(.)/g, '$1') ?? take(UNQUOTED)?.[0] ?? ''
}

function takeToken68(take: Take): string | undefined {
  take(/ +/y)
  return take(TOKEN68)?.[0]
}
