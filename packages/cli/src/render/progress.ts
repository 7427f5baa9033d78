import { describeAmount } from './amount.ts'
import { formatWarning } from './message.ts'
import { terminalRenderer } from './progress-terminal.ts'
import type { ProgressRenderer } from './renderer.ts'

/** What `--progress` takes. */
export const PROGRESS_STYLES = ['auto', 'term', 'verbose', 'json'] as const
export type ProgressStyle = (typeof PROGRESS_STYLES)[number]

/** `auto` draws where standard error is a terminal, and writes lines elsewhere. */
export function createRenderer(style: ProgressStyle): ProgressRenderer {
  if (style === 'json') return jsonRenderer()
  if (style === 'term' || (style === 'auto' && process.stderr.isTTY)) return terminalRenderer(process.stderr)
  return lineRenderer()
}

/** One JSON object a line, each with the milliseconds since the start. */
function jsonRenderer(): ProgressRenderer {
  const start = performance.now()
  return {
    event: (event) => {
      process.stdout.write(`${JSON.stringify({ time: Math.round(performance.now() - start), ...event })}\n`)
    },
    finish() {},
  }
}

/** A line when something begins and one when it ends: for logs. */
function lineRenderer(): ProgressRenderer {
  const running = new Map<string, { label: string; unit: 'bytes' | 'items'; done: number; start: number }>()
  const write = (line: string): void => {
    process.stderr.write(`${line}\n`)
  }
  return {
    event(event) {
      switch (event.type) {
        case 'start':
          running.set(event.id, { label: event.label, unit: event.unit, done: 0, start: performance.now() })
          break
        case 'advance': {
          const task = running.get(event.id)
          if (task) task.done = event.done
          break
        }
        case 'skip':
          write(`${event.label}: already there`)
          break
        case 'end': {
          const task = running.get(event.id)
          if (!task) break
          running.delete(event.id)
          const seconds = (performance.now() - task.start) / 1000
          write(`${task.label}: ${describeAmount(task.done, task.unit)} in ${seconds.toFixed(1)} s`)
          break
        }
        case 'note':
          write(event.message)
          break
        case 'warning':
          write(formatWarning(event))
      }
    },
    finish() {},
  }
}
