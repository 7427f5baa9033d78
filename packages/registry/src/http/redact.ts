/** Query parameters that registries define and that hold nothing secret. */
const HARMLESS = new Set([
  'n',
  'last',
  'service',
  'scope',
  'ns',
  'artifactType',
  'mount',
  'from',
  'digest',
  'digest-algorithm',
])
const MASK = '***'
const MAX_TEXT = 500

/** A URL for messages: no user, no fragment, and of its query only what is known to be harmless. */
export function redactUrl(url: URL): string {
  const shown = new URL(url)
  shown.username = ''
  shown.password = ''
  shown.hash = ''
  // A presigned URL carries its signature in the query.
  url.searchParams.forEach((_, name) => {
    if (!HARMLESS.has(name)) shown.searchParams.set(name, MASK)
  })
  return shown.href
}

/** Makes texts that a server wrote fit for a message: it may repeat what it was sent, and worse. */
export interface Redactor {
  /** Names a secret that must never be shown. */
  add(secret: string): void
  /**
   * The text on one line, bounded, without secrets and without the escapes that steer terminals.
   * @param url that was asked: what its query may not show, this text may not show either
   */
  clean(text: string, url?: URL): string
}

/** Shorter ones would blank out ordinary words, and give themselves away by that. */
const MIN_SECRET = 4

function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

/** The values in a query that {@link redactUrl} does not show, encoded and not. */
function secretsIn(url: URL | undefined): string[] {
  if (!url) return []
  const values: string[] = []
  url.searchParams.forEach((value, name) => {
    if (!HARMLESS.has(name)) values.push(value, encodeURIComponent(value), formEncode(value))
  })
  return values.filter((value) => value.length >= MIN_SECRET)
}

export function createRedactor(): Redactor {
  const secrets = new Set<string>()
  return {
    add(secret) {
      if (secret.length < MIN_SECRET) return
      // As it stands in a header, in a URL, and in the body of a form.
      for (const form of [secret, encodeURIComponent(secret), formEncode(secret)]) secrets.add(form)
    },
    clean(text, url) {
      let shown = text
      for (const secret of [...secrets, ...secretsIn(url)]) shown = shown.replaceAll(secret, MASK)
      return shown.replaceAll(/\p{C}+/gu, ' ').slice(0, MAX_TEXT)
    },
  }
}
