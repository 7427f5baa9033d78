import { fromBase64, toBase64 } from './base64.ts'
import type { SparseRange, TarMember, TarMemberType } from './tar-format.ts'

/** What few members have. */
interface Rare {
  readonly link?: string
  readonly device?: readonly [major: number, minor: number]
  /** Values in base64. */
  readonly xattrs?: Readonly<Record<string, string>>
  /** Triples of offset, length and position. */
  readonly sparse?: readonly number[]
}

type Row = readonly [
  path: string,
  type: TarMemberType,
  mode: number,
  uid: number,
  gid: number,
  seconds: number,
  nanoseconds: number,
  size: number,
  offset: number,
  rare?: Rare,
]

/** Rows of a line: few calls of the JSON parser, and no line that comes near the longest string. */
const ROWS = 2048

/** The members of a layer as lines of JSON, an array of rows each. Read back by {@link decodeMembers}. */
export function* encodeMembers(members: readonly TarMember[]): Generator<string, void, undefined> {
  for (let start = 0; start < members.length; start += ROWS) {
    yield `${JSON.stringify(members.slice(start, start + ROWS).map(toRow))}\n`
  }
}

/** @throws SyntaxError, TypeError on lines that {@link encodeMembers} did not write */
export function decodeMembers(lines: Iterable<string>): TarMember[] {
  const members: TarMember[] = []
  for (const line of lines) {
    for (const row of JSON.parse(line) as readonly Row[]) members.push(fromRow(row))
  }
  return members
}

function toRow(member: TarMember): Row {
  const { path, type, mode, uid, gid, mtime, size, offset } = member
  const rare: Rare = {
    ...(member.linkName !== '' && { link: member.linkName }),
    ...((type === 'character' || type === 'block') && { device: [member.major, member.minor] as const }),
    ...(member.xattrs.size > 0 && {
      xattrs: Object.fromEntries([...member.xattrs].map(([name, value]) => [name, toBase64(value)])),
    }),
    ...(member.sparse && {
      sparse: member.sparse.flatMap((range) => [range.offset, range.length, range.position]),
    }),
  }
  const row = [path, type, mode, uid, gid, mtime.seconds, mtime.nanoseconds, size, offset] as const
  return Object.keys(rare).length > 0 ? [...row, rare] : row
}

const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map()

function fromRow(row: Row): TarMember {
  const [path, type, mode, uid, gid, seconds, nanoseconds, size, offset, rare] = row
  return {
    path,
    type,
    mode,
    uid,
    gid,
    mtime: { seconds, nanoseconds },
    size,
    linkName: rare?.link ?? '',
    major: rare?.device?.[0] ?? 0,
    minor: rare?.device?.[1] ?? 0,
    xattrs: rare?.xattrs
      ? new Map(Object.entries(rare.xattrs).map(([name, value]) => [name, fromBase64(value)]))
      : NO_XATTRS,
    offset,
    ...(rare?.sparse && { sparse: triples(rare.sparse) }),
  }
}

function triples(numbers: readonly number[]): SparseRange[] {
  const ranges: SparseRange[] = []
  for (let index = 0; index + 2 < numbers.length; index += 3) {
    const [offset, length, position] = numbers.slice(index, index + 3) as [number, number, number]
    ranges.push({ offset, length, position })
  }
  return ranges
}
