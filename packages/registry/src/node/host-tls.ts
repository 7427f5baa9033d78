/** How one host proves who it is, and how we do. All texts are PEM. */
export interface HostTls {
  /** Certificates of authorities that vouch for this host, besides those that vouch for all hosts. */
  readonly ca?: string | readonly string[]
  /** Certificate that we show where the host asks for one, with what leads from it to an authority. */
  readonly cert?: string | readonly string[]
  /** Its key; of several, in the order of the certificates. */
  readonly key?: string | readonly string[]
  /** `false` takes any certificate, also one of an attacker. @defaultValue true */
  readonly rejectUnauthorized?: boolean
}

/**
 * Knows what is special about a host, which is written as in references: with its port, unless that is 443.
 * @throws BootableError `CONFIGURATION_INVALID`
 */
export type HostTlsSource = (host: string) => Promise<HostTls | undefined>

/** The same for hosts that are known beforehand: `{ 'registry.lan:5000': { ca } }`. */
export type HostTlsTable = Readonly<Record<string, HostTls>>
