/** The file `config` of a repository: values by group and key, written in this order. */
export type RepositoryConfig = Readonly<Record<string, Readonly<Record<string, string>>>>

/** What a machine's repository is told. */
export interface BootcConfigOptions {
  /** `bls-append-except-default` of the install configuration: see `sysroot` in ostree.repo-config(5). */
  readonly blsAppendExceptDefault?: string
}

/** What `ostree admin init-fs --modern` and the settings of `bootc install` leave. */
export function bootcConfig(options: BootcConfigOptions = {}): RepositoryConfig {
  const { blsAppendExceptDefault: append } = options
  const sysroot = { bootloader: 'none', bootprefix: 'true', readonly: 'true' }
  return {
    core: { repo_version: '1', mode: 'bare' },
    sysroot: append === undefined ? sysroot : { ...sysroot, 'bls-append-except-default': append },
  }
}

/** The bytes of `config`, as GLib writes a key file: an empty line before every group but the first. */
export function formatConfig(config: RepositoryConfig): string {
  const groups = Object.entries(config).map(([name, keys]) => {
    const lines = Object.entries(keys).map(([key, value]) => `${key}=${escapeValue(value)}\n`)
    return `[${name}]\n${lines.join('')}`
  })
  return groups.join('\n')
}

const ESCAPES: Readonly<Record<string, string>> = {
  ' ': '\\s',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\\': '\\\\',
}

/** `g_key_file_set_string`: blanks are escaped where they lead, the others everywhere. */
function escapeValue(value: string): string {
  return value.replace(/^[ \t]+|[\n\r\\]/g, (found) => [...found].map((one) => ESCAPES[one]).join(''))
}
