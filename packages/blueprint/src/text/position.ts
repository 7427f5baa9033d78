import { BootableError } from '@bootable/bytes'

/** Names and indexes from the top of a document down to a value. */
export type ValuePath = readonly (string | number)[]

/** A place in a text; both count from 1, columns in UTF-16 units as editors do. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

/** Where the values of a document stand in its text. */
export interface PositionMap {
  set(path: ValuePath, offset: number): void
  /** The place of a value, or of the nearest value around it. */
  find(path: ValuePath): TextPosition
}

export function createPositionMap(text: string): PositionMap {
  const offsets = new Map<string, number>()
  let starts: readonly number[] | undefined
  return {
    set(path, offset) {
      offsets.set(JSON.stringify(path), offset)
    },
    find(path) {
      for (let length = path.length; length > 0; length--) {
        const offset = offsets.get(JSON.stringify(path.slice(0, length)))
        if (offset === undefined) continue
        starts ??= lineStarts(text)
        return positionIn(starts, offset)
      }
      return { line: 1, column: 1 }
    },
  }
}

/** Line and column of an offset into a text. */
export function positionAt(text: string, offset: number): TextPosition {
  return positionIn(lineStarts(text), offset)
}

/** Offsets at which lines start. */
function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function positionIn(starts: readonly number[], offset: number): TextPosition {
  let low = 0
  let high = starts.length
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if ((starts[middle] as number) <= offset) low = middle
    else high = middle
  }
  return { line: low + 1, column: offset - (starts[low] as number) + 1 }
}

/** A text that is not of its format, and where. Thrown inside this package only. */
export class TextSyntaxError extends BootableError<'TEXT_SYNTAX'> {
  readonly position: TextPosition

  constructor(message: string, position: TextPosition) {
    super('TEXT_SYNTAX', message)
    this.position = position
  }
}

/** A document's value, and where its parts stand. */
export interface LocatedDocument {
  readonly value: unknown
  readonly positions: PositionMap
}
