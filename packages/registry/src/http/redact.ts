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
  /** The text on one line, bounded, without secrets and without the escapes that steer terminals. */
  clean(text: string): string
}

export function createRedactor(): Redactor {
  const secrets = new Set<string>()
  return {
    add(secret) {
      // Shorter ones would blank out ordinary words, and give themselves away by that.
      if (secret.length >= 4) secrets.add(secret)
    },
    clean(text) {
      let shown = text
      for (const secret of secrets) shown = shown.replaceAll(secret, MASK)
      return shown.replaceAll(/\p{C}+/gu, ' ').slice(0, MAX_TEXT)
    },
  }
}
