import type { SignatureCheck } from '../verify/verifier.ts'

/** What a code of sigstore's `VerificationError` speaks of. */
const CHECKS: readonly (readonly [RegExp, SignatureCheck['check']])[] = [
  [/^TLOG_|^TIMESTAMP_/, 'log'],
  [/^CERTIFICATE_|^PUBLIC_KEY_/, 'certificate'],
  [/^SIGNATURE_/, 'signature'],
]

/** A failed check from what a library threw: a word of its own, or whatever bad bytes made of its parser. */
export function failedCheck(error: unknown, otherwise: SignatureCheck['check']): SignatureCheck {
  const { code, message, cause } = error as {
    code?: unknown
    message?: unknown
    cause?: { message?: unknown }
  }
  const check = CHECKS.find(([pattern]) => pattern.test(String(code)))?.[1] ?? otherwise
  const reason = cause?.message === undefined ? '' : `: ${String(cause.message)}`
  // Some of these messages quote what the signature holds, which may be meant for a terminal.
  const shown = `${String(message)}${reason}`.replace(/\p{Cc}/gu, '?')
  return { check, passed: false, message: shown.slice(0, 300) }
}

/** Runs checks one after another; the first that fails, or throws, is the last. */
export function runChecks(
  checks: readonly (readonly [SignatureCheck['check'], () => string | readonly SignatureCheck[]])[],
): readonly SignatureCheck[] {
  const done: SignatureCheck[] = []
  for (const [check, run] of checks) {
    try {
      const outcome = run()
      done.push(...(typeof outcome === 'string' ? [{ check, passed: true, message: outcome }] : outcome))
    } catch (error) {
      done.push(failedCheck(error, check))
    }
    if (done.at(-1)?.passed === false) break
  }
  return done
}
