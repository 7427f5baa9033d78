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
