/** Bytes under construction: data, and positions that have names. */
export interface Program {
  /** Bytes written so far. */
  readonly position: number
  /** Gives the current position a name. */
  label(name: string): void
  /** Distance of a label from the start. @throws Error on a label that is not there */
  offsetOf(label: string): number
  /** Raw bytes: data, or instructions that an assembler has no words for. */
  bytes(...values: number[]): void
  /** Characters of ASCII and a zero. */
  text(value: string): void
  /** Characters of UTF-16 and a zero. */
  wideText(value: string): void
  /** Zeros up to a multiple of `step`. */
  align(step: number): void
  /** Zeros up to `position`. */
  padTo(position: number): void
  /** The program, all labels resolved. @throws Error on a label that is not there */
  finish(): Uint8Array
}

/** A program for an assembler to write, some of whose bytes wait for the labels. */
export interface ProgramWriter extends Program {
  /** Has `write` called when all labels are known; `at` is the position as it is now. */
  later(write: (view: DataView, at: number) => void): void
}

/** A program with nothing written yet. */
export function createProgram(): ProgramWriter {
  const output: number[] = []
  const labels = new Map<string, number>()
  const pending: ((view: DataView) => void)[] = []

  const bytes = (...values: number[]): void => {
    for (const value of values) output.push(value & 0xff)
  }
  const align = (step: number): void => {
    while (output.length % step !== 0) bytes(0)
  }
  return {
    get position() {
      return output.length
    },
    label(name) {
      if (labels.has(name)) throw new Error(`label ${name} is there twice`)
      labels.set(name, output.length)
    },
    offsetOf(label) {
      const position = labels.get(label)
      if (position === undefined) throw new Error(`no label ${label}`)
      return position
    },
    bytes,
    text: (value) => bytes(...[...value].map((character) => character.charCodeAt(0)), 0),
    wideText(value) {
      align(2)
      for (const character of `${value}\0`) bytes(character.charCodeAt(0), character.charCodeAt(0) >> 8)
    },
    align,
    padTo(position) {
      if (output.length > position)
        throw new Error(`${output.length} bytes stand where ${position} should end`)
      while (output.length < position) bytes(0)
    },
    later(write) {
      const at = output.length
      pending.push((view) => write(view, at))
    },
    finish() {
      const program = Uint8Array.from(output)
      const view = new DataView(program.buffer)
      for (const write of pending) write(view)
      return program
    },
  }
}
