/** Options of every {@link BootableError}. */
export interface BootableErrorOptions {
  /** The numbers and names of the message, for programs. */
  readonly details?: Readonly<Record<string, unknown>>
  /** What the reader of the message can do about it. */
  readonly hint?: string
  readonly cause?: unknown
}

const BRAND = Symbol.for('@bootable/error')

/**
 * The base of every error that this project throws on purpose.
 *
 * `message` says what happened, with the numbers; `hint` says what to do; `code` is what a program
 * switches on. Each package narrows `Code` to a union of its own.
 */
export class BootableError<Code extends string = string> extends Error {
  readonly code: Code
  readonly details: Readonly<Record<string, unknown>>
  readonly hint?: string
  /** True for errors of any installed copy of this package, unlike `instanceof`. */
  readonly [BRAND] = true

  constructor(code: Code, message: string, options: BootableErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
    if (options.hint !== undefined) this.hint = options.hint
  }

  override get name(): string {
    return 'BootableError'
  }

  /** Tells whether `error` is one of ours, and, when `code` is given, this very case. */
  static is(error: unknown, code?: string): error is BootableError {
    if (typeof error !== 'object' || error === null || !(BRAND in error)) return false
    return code === undefined || (error as BootableError).code === code
  }

  toJSON(): { code: Code; message: string; details: Readonly<Record<string, unknown>>; hint?: string } {
    const json = { code: this.code, message: this.message, details: this.details }
    return this.hint === undefined ? json : { ...json, hint: this.hint }
  }
}

/** The four ways in which bytes can fail to be the format that they claim to be. */
export type FormatErrorCode = 'FORMAT_TRUNCATED' | 'FORMAT_INVALID' | 'FORMAT_CHECKSUM' | 'FORMAT_UNSUPPORTED'

/** Where in which format the bytes were wrong. Offsets count bytes from the start of the source. */
export interface FormatErrorDetails {
  /** Name of the format, such as `ext4` or `tar`. */
  readonly format: string
  /** Name of the structure or field in the words of its specification. */
  readonly structure: string
  readonly offset?: number
  readonly expected?: unknown
  readonly actual?: unknown
}

/** Bytes that are not what their format asks for. The only error that a format reader throws. */
export class FormatError extends BootableError<FormatErrorCode> {
  constructor(
    code: FormatErrorCode,
    details: FormatErrorDetails,
    message: string,
    options: Omit<BootableErrorOptions, 'details'> = {},
  ) {
    const place = details.offset === undefined ? '' : ` at byte ${details.offset}`
    super(code, `${details.format}: ${details.structure}${place}: ${message}`, {
      ...options,
      details: { ...details },
    })
  }

  override get name(): string {
    return 'FormatError'
  }
}
