import type { WriteStream } from 'node:tty'
import { describeAmount } from './amount.ts'
import { formatWarning } from './message.ts'
import { printable } from './printable.ts'
import { terminalRenderer } from './progress-terminal.ts'
import type { ProgressRenderer } from './renderer.ts'

/** What `--progress` takes. `debug` is bootc-image-builder's, and the same as `verbose` here. */
export const PROGRESS_STYLES = ['auto', 'term', 'verbose', 'json', 'debug'] as const
export type ProgressStyle = (typeof PROGRESS_STYLES)[number]

/** Where progress is shown: JSON goes to standard output, everything for people to standard error. */
export interface ProgressStreams {
  readonly stdout: Pick<WriteStream, 'write'>
  readonly stderr: Pick<WriteStream, 'write' | 'columns' | 'isTTY'>
}

/** `auto` draws where standard error is a terminal, and writes lines elsewhere. */
export function createRenderer(
  style: ProgressStyle,
  { stdout, stderr }: ProgressStreams = process,
): ProgressRenderer {
  if (style === 'json') return jsonRenderer(stdout)
  if (style === 'term' || (style === 'auto' && stderr.isTTY)) return terminalRenderer(stderr)
  return lineRenderer(stderr)
}

/** One JSON object a line, each with the milliseconds since the start. */
function jsonRenderer(stream: ProgressStreams['stdout']): ProgressRenderer {
  const start = performance.now()
  return {
    event: (event) => {
      stream.write(`${JSON.stringify({ time: Math.round(performance.now() - start), ...event })}\n`)
    },
    finish() {},
  }
}

/** A line when something begins and one when it ends: for logs. */
function lineRenderer(stream: ProgressStreams['stderr']): ProgressRenderer {
  const running = new Map<string, { label: string; unit: 'bytes' | 'items'; done: number; start: number }>()
  const write = (line: string): void => {
    stream.write(`${line}\n`)
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
          write(`${printable(event.label)}: already there`)
          break
        case 'end': {
          const task = running.get(event.id)
          if (!task) break
          running.delete(event.id)
          const seconds = (performance.now() - task.start) / 1000
          write(
            `${printable(task.label)}: ${describeAmount(task.done, task.unit)} in ${seconds.toFixed(1)} s`,
          )
          break
        }
        case 'note':
          write(printable(event.message))
          break
        case 'warning':
          write(formatWarning(event))
      }
    },
    finish() {},
  }
}
