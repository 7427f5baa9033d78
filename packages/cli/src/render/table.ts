import { printable } from './printable.ts'

/** Rows as aligned columns, two blanks between them; a column whose cells are numbers, or empty, stands right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows.map((row) => row.map(printable))]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const numeric = head.map(
    (_, column) =>
      rows.some((row) => row[column]) &&
      rows.every((row) => /^(?:[\d.]+( [KMGT]?i?B)?)?$/.test(row[column] ?? '')),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return `${all.map(line).join('\n')}\n`
}

/** Names and values, one pair a line, the values aligned. */
export function formatPairs(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => name.length))
  return pairs.map(([name, value]) => `${printable(name).padEnd(width)}  ${printable(value)}\n`).join('')
}
