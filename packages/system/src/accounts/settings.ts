/** The greatest user or group id: 2^32 − 1 means "no change" to chown(2). */
export const MAX_ID = 0xffff_fffe

/** What `/etc/login.defs` and `/etc/default/useradd` say, with the defaults that are built into shadow-utils. */
export interface AccountSettings {
  readonly uidMin: number
  readonly uidMax: number
  readonly gidMin: number
  readonly gidMax: number
  readonly subUid: SubordinateSettings
  readonly subGid: SubordinateSettings
  /** `USERGROUPS_ENAB`: every user gets a group of the same name. */
  readonly userGroups: boolean
  /** `CREATE_HOME`; `undefined` where the file does not say. */
  readonly createHome: boolean | undefined
  /** Mode of a new home: `HOME_MODE`, else what `UMASK` leaves. */
  readonly homeMode: number
  readonly passwordMinDays: string
  readonly passwordMaxDays: string
  readonly passwordWarnDays: string
  readonly mailDirectory: string
  /** From `/etc/default/useradd`. */
  readonly defaults: {
    readonly group: string
    readonly home: string
    readonly shell: string
    readonly skel: string
    readonly inactive: string
    readonly expire: string
    readonly createMailSpool: boolean
  }
}

/** Where ranges of subordinate ids come from (subuid(5)). */
export interface SubordinateSettings {
  readonly min: number
  readonly max: number
  readonly count: number
}

/** Reads both files; empty texts give the built-in defaults. */
export function parseAccountSettings(loginDefs: string, useraddDefaults: string): AccountSettings {
  const defs = parseAssignments(loginDefs, /^([A-Z_0-9]+)\s+"?([^"]*)/)
  const useradd = parseAssignments(useraddDefaults, /^([A-Z_]+)=(.*)/)
  const number = (name: string, otherwise: number): number => parseNumber(defs.get(name)) ?? otherwise
  // -1 is "not set" in login.defs, and an empty field in shadow(5).
  const days = (name: string): string => {
    const value = parseNumber(defs.get(name))
    return value === undefined || value < 0 ? '' : String(value)
  }
  const inactive = parseNumber(useradd.get('INACTIVE')) ?? -1
  return {
    uidMin: number('UID_MIN', 1000),
    uidMax: number('UID_MAX', 60_000),
    gidMin: number('GID_MIN', 1000),
    gidMax: number('GID_MAX', 60_000),
    subUid: {
      min: number('SUB_UID_MIN', 100_000),
      max: number('SUB_UID_MAX', 600_100_000),
      count: number('SUB_UID_COUNT', 65_536),
    },
    subGid: {
      min: number('SUB_GID_MIN', 100_000),
      max: number('SUB_GID_MAX', 600_100_000),
      count: number('SUB_GID_COUNT', 65_536),
    },
    userGroups: isYes(defs.get('USERGROUPS_ENAB')) === true,
    createHome: isYes(defs.get('CREATE_HOME')),
    homeMode: (parseNumber(defs.get('HOME_MODE')) ?? 0o777 & ~number('UMASK', 0o022)) & 0o7777,
    passwordMinDays: days('PASS_MIN_DAYS'),
    passwordMaxDays: days('PASS_MAX_DAYS'),
    passwordWarnDays: days('PASS_WARN_AGE'),
    mailDirectory: defs.get('MAIL_DIR') ?? '/var/mail',
    defaults: {
      group: useradd.get('GROUP') ?? '1000',
      home: useradd.get('HOME') ?? '/home',
      shell: useradd.get('SHELL') ?? '',
      skel: useradd.get('SKEL') ?? '/etc/skel',
      inactive: inactive < 0 ? '' : String(inactive),
      expire: useradd.get('EXPIRE') ?? '',
      createMailSpool: isYes(useradd.get('CREATE_MAIL_SPOOL')) === true,
    },
  }
}

function parseAssignments(text: string, pattern: RegExp): Map<string, string> {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = pattern.exec(line.trim())
    if (match) values.set(match[1] as string, match[2] as string)
  }
  return values
}

/**
 * Numbers as `strtol(…, 0)` reads them: 0x for hexadecimal, a leading 0 for octal. What no id can be is not
 * heeded.
 */
function parseNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const isOctal = /^0[0-7]+$/.test(text)
  if (!isOctal && !/^(?:0x[0-9a-fA-F]+|-?\d+)$/.test(text)) return undefined
  const value = isOctal ? Number.parseInt(text, 8) : Number(text)
  return value <= MAX_ID ? value : undefined
}

function isYes(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : text.toLowerCase() === 'yes'
}
