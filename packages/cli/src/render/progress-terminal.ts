import type { WriteStream } from 'node:tty'
import { describeAmount } from './amount.ts'
import { formatWarning } from './message.ts'
import { printable } from './printable.ts'
import type { ProgressRenderer } from './renderer.ts'

interface Task {
  readonly label: string
  readonly unit: 'bytes' | 'items'
  readonly start: number
  done: number
  total: number | undefined
}

/** Milliseconds between two drawings: often enough to look alive, rarely enough to cost nothing. */
const INTERVAL = 80
/** More tasks than this at once are summed up. */
const MAX_LINES = 8
const BAR_WIDTH = 24

/** Bars that are drawn over each other, with finished things left standing above them. */
export function terminalRenderer(stream: Pick<WriteStream, 'write' | 'columns'>): ProgressRenderer {
  const tasks = new Map<string, Task>()
  let drawn = 0
  let last = 0

  const erase = (): string => (drawn === 0 ? '' : `\x1b[${drawn}A\x1b[J`)
  const cut = (line: string): string => line.slice(0, Math.max(20, (stream.columns ?? 80) - 1))

  function draw(above: readonly string[] = []): void {
    const bars = [...tasks.values()].slice(0, MAX_LINES).map((task) => cut(formatBar(task)))
    if (tasks.size > MAX_LINES) bars.push(`… and ${tasks.size - MAX_LINES} more`)
    stream.write(erase() + [...above, ...bars].map((line) => `${line}\n`).join(''))
    drawn = bars.length
    last = performance.now()
  }

  return {
    event(event) {
      switch (event.type) {
        case 'start': {
          const { unit, total } = event
          tasks.set(event.id, {
            label: printable(event.label),
            unit,
            total,
            start: performance.now(),
            done: 0,
          })
          return draw()
        }
        case 'advance': {
          const task = tasks.get(event.id)
          if (!task) return
          task.done = event.done
          task.total = event.total ?? task.total
          if (performance.now() - last > INTERVAL) draw()
          return
        }
        case 'end': {
          const task = tasks.get(event.id)
          tasks.delete(event.id)
          return task && draw([cut(formatDone(task))])
        }
        case 'skip':
          return draw([cut(`✓ ${printable(event.label)} (already there)`)])
        case 'note':
          return draw([printable(event.message)])
        case 'warning':
          return draw([formatWarning(event)])
      }
    },
    finish() {
      stream.write(erase())
      drawn = 0
      tasks.clear()
    },
  }
}

function formatBar({ label, unit, start, done, total }: Task): string {
  const seconds = (performance.now() - start) / 1000
  const rate = seconds > 0.5 && unit === 'bytes' ? `  ${describeAmount(done / seconds, unit)}/s` : ''
  if (!total) return `  ${label}  ${describeAmount(done, unit)}${rate}`
  const share = Math.min(1, done / total)
  const bar = '█'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '░')
  const left = share > 0.02 && seconds > 1 ? `  ${Math.ceil((seconds * (1 - share)) / share)} s left` : ''
  return `  ${label}  ${bar} ${String(Math.floor(share * 100)).padStart(3)} %${rate}${left}`
}

function formatDone({ label, unit, start, done }: Task): string {
  const seconds = (performance.now() - start) / 1000
  return `✓ ${label}  ${describeAmount(done, unit)} in ${seconds.toFixed(1)} s`
}
