import { KiB, MiB } from '@bootable/bytes'

/** Signatures that are looked at for one digest; cosign adds one for every signing. */
export const MAX_SIGNATURES = 100
/** Bytes of a payload, which is a small JSON document. */
export const MAX_PAYLOAD = 64 * KiB
/** Bytes of a bundle: certificates, a log entry and a statement. */
export const MAX_BUNDLE = 1 * MiB
/** Characters of an annotation: a certificate chain is the longest. */
export const MAX_ANNOTATION = 256 * KiB
