import type { ProgressEvent } from '@bootable/bytes'

/** Shows events while they happen. Standard output is left to results. */
export interface ProgressRenderer {
  event(event: ProgressEvent): void
  /** Leaves the terminal as it was found. */
  finish(): void
}
