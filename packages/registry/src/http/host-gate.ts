import type { Clock } from '../clock.ts'

/** Keeps one wait for each host: what it asked of one request, it asked of all. */
export interface HostGate {
  /** Waits while the host wants to be left alone. */
  pass(host: string, signal?: AbortSignal): Promise<void>
  /** Leaves the host alone for so many milliseconds from now; the longest wait counts. */
  hold(host: string, milliseconds: number): void
}

export function createHostGate(clock: Clock): HostGate {
  const closedUntil = new Map<string, number>()
  return {
    async pass(host, signal) {
      // Again after a wait: it may have been made longer meanwhile.
      for (;;) {
        const rest = (closedUntil.get(host) ?? 0) - clock.now()
        if (rest <= 0) break
        await clock.sleep(rest, signal)
      }
      closedUntil.delete(host)
    },
    hold(host, milliseconds) {
      const until = clock.now() + milliseconds
      if (until > (closedUntil.get(host) ?? 0)) closedUntil.set(host, until)
    },
  }
}
