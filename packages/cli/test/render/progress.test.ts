import type { ProgressEvent } from '@bootable/bytes'
import { describe, expect, it } from 'vitest'
import { createRenderer, type ProgressStyle } from '../../src/render/progress.ts'

const EVENTS: readonly ProgressEvent[] = [
  { type: 'start', id: 'a', label: 'layer one', unit: 'bytes', total: 2048 },
  { type: 'start', id: 'b', label: 'files', unit: 'items' },
  { type: 'advance', id: 'a', done: 1024 },
  { type: 'advance', id: 'nobody', done: 1 },
  { type: 'note', message: 'a choice' },
  { type: 'warning', message: 'look', hint: 'there' },
  { type: 'skip', id: 'c', label: 'layer two' },
  { type: 'advance', id: 'b', done: 7 },
  { type: 'end', id: 'b' },
  { type: 'advance', id: 'a', done: 2048 },
  { type: 'end', id: 'a' },
  { type: 'end', id: 'nobody' },
]

interface Shown {
  readonly stdout: string
  readonly stderr: string
}

function show(style: ProgressStyle, events: readonly ProgressEvent[], terminal = {}): Shown {
  const written = { stdout: '', stderr: '' }
  const stream = (name: keyof Shown) => ({
    write: (text: string | Uint8Array) => {
      written[name] += text
      return true
    },
  })
  const stderr = { ...stream('stderr'), columns: 60, isTTY: false, ...terminal }
  const renderer = createRenderer(style, { stdout: stream('stdout'), stderr })
  for (const event of events) renderer.event(event)
  renderer.finish()
  return written
}

/** What a terminal shows in the end: lines are drawn, the cursor goes up, the rest is erased. */
function screen(text: string): string[] {
  const lines: string[] = []
  let row = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the control sequences of a terminal
  for (const [part, up] of text.matchAll(/\x1b\[(\d+)A\x1b\[J|[^\x1b\n]*\n/g)) {
    if (up === undefined) lines[row++] = part.trimEnd()
    else {
      row -= Number(up)
      lines.length = row
    }
  }
  return lines
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: moves the cursor up
const UP = /\x1b\[(\d+)A/g

function withoutControls(line: string): string {
  return line.replace(UP, '').replace('\x1b[J', '')
}

describe('--progress json', () => {
  it('writes every event as a line of JSON, and nothing else', () => {
    const { stdout, stderr } = show('json', EVENTS)
    const lines = stdout.trimEnd().split('\n')
    const objects = lines.map((line) => JSON.parse(line) as { time: number })
    expect(objects.map(({ time: _, ...event }) => event)).toEqual(EVENTS)
    for (const { time } of objects) expect(Number.isInteger(time)).toBe(true)
    expect(stderr).toBe('')
  })

  it('keeps a message of several lines in one', () => {
    const { stdout } = show('json', [{ type: 'note', message: 'a\nb\u2028c\x1b[31m' }])
    expect(stdout.split('\n')).toHaveLength(2)
    expect(JSON.parse(stdout)).toMatchObject({ message: 'a\nb\u2028c\x1b[31m' })
  })
})

describe.each(['verbose', 'auto', 'debug'] as const)('--progress %s without a terminal', (style) => {
  it('writes a line for what is done', () => {
    const { stdout, stderr } = show(style, EVENTS)
    expect(stdout).toBe('')
    expect(stderr.replace(/\d+\.\d s/g, '0.0 s')).toBe(
      'a choice\nwarning: look (there)\nlayer two: already there\nfiles: 7 in 0.0 s\nlayer one: 2 KiB in 0.0 s\n',
    )
  })
})

describe.each([
  ['term', {}],
  ['auto', { isTTY: true }],
] as const)('--progress %s on a terminal', (style, terminal) => {
  it('leaves what is done and takes its bars away', () => {
    const { stderr } = show(style, EVENTS, terminal)
    expect(screen(stderr).map((line) => line.replace(/\d+\.\d s/, '0.0 s'))).toEqual([
      'a choice',
      'warning: look (there)',
      '✓ layer two (already there)',
      '✓ files  7 in 0.0 s',
      '✓ layer one  2 KiB in 0.0 s',
    ])
  })

  it('draws no line longer than the terminal is wide, and not too many', () => {
    const events = Array.from({ length: 30 }, (_, index): ProgressEvent => {
      return { type: 'start', id: `${index}`, label: 'x'.repeat(200), unit: 'bytes', total: 10 }
    })
    const { stderr } = show(style, events, terminal)
    for (const line of stderr.split('\n')) expect(withoutControls(line).length).toBeLessThan(60)
    expect(Math.max(...[...stderr.matchAll(UP)].map(([, up]) => Number(up)))).toBeLessThan(10)
    expect(screen(stderr)).toEqual([])
  })

  it('shows what would steer the terminal', () => {
    const { stderr } = show(style, [{ type: 'note', message: 'a\x1b]0;title\x07b' }], terminal)
    expect(screen(stderr)).toEqual(['a\\x1b]0;title\\x07b'])
  })
})
