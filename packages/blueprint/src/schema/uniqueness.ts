/** Takes note of a mistake at a path below the value that is checked. */
export type Report = (path: readonly PropertyKey[], message: string) => void

/** Reports each value that was there before. */
export function uniqueness(
  report: Report,
  what: string,
): (value: string | undefined, path: readonly PropertyKey[]) => void {
  const seen = new Set<string>()
  return (value, path) => {
    if (value === undefined) return
    if (seen.has(value)) report(path, `this ${what} stands here twice: ${value}`)
    seen.add(value)
  }
}
