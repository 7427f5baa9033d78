/**
 * Orders version strings: runs of digits by their number, everything else by its characters, so that
 * `2.12-9` stands before `2.12-10`.
 */
export function compareVersions(a: string, b: string): number {
  const parts = (version: string): readonly string[] => version.match(/\d+|\D+/g) ?? []
  const [left, right] = [parts(a), parts(b)]
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const [x = '', y = ''] = [left[index], right[index]]
    if (x === y) continue
    const [m, n] = [Number(x), Number(y)]
    const isNumeric = x !== '' && y !== '' && !Number.isNaN(m) && !Number.isNaN(n)
    if (isNumeric && m !== n) return m - n
    return x < y ? -1 : 1
  }
  return 0
}
