import { FormatError } from '@bootable/bytes'
import type { LayerLimits } from './limits.ts'
import { type EffectivePax, memberId, memberNumber, memberTime, mergePax } from './tar-attributes.ts'
import { BLOCK_SIZE, HEADER, type TarMember, type TarMemberType, TYPE } from './tar-format.ts'
import { headerPath, numberField, textField, typeFlag } from './tar-header.ts'
import { decodeName, type MemberPlace, normalisePath } from './tar-path.ts'
import type { PaxRecords } from './tar-pax.ts'

/** Everything that an archive says about one member before its content. */
export interface MemberHeaders {
  readonly block: Uint8Array
  /** Of all global extended headers so far. */
  readonly global: ReadonlyMap<string, Uint8Array>
  readonly own: PaxRecords
  /** GNU `L` and `K`. */
  readonly longName: Uint8Array | undefined
  readonly longLink: Uint8Array | undefined
}

/** A member as its headers describe it; the size and place of a file are still those of a plain one. */
export interface DescribedMember {
  readonly member: TarMember
  readonly flag: string
  /** Bytes that the archive says to hold for it. */
  readonly stored: number
  /** Bytes of its names, for the limit on metadata. */
  readonly nameLength: number
}

const TYPES: Readonly<Record<string, TarMemberType>> = {
  [TYPE.regular]: 'file',
  [TYPE.regularV7]: 'file',
  [TYPE.contiguous]: 'file',
  [TYPE.gnuSparse]: 'file',
  [TYPE.hardlink]: 'hardlink',
  [TYPE.symlink]: 'symlink',
  [TYPE.character]: 'character',
  [TYPE.block]: 'block',
  [TYPE.directory]: 'directory',
  [TYPE.gnuDumpDirectory]: 'directory',
  [TYPE.fifo]: 'fifo',
}

/** The size of all others is meaningless: POSIX has no content for them, and Go reads none. */
const STORED = new Set<string>([
  TYPE.regular,
  TYPE.regularV7,
  TYPE.contiguous,
  TYPE.gnuSparse,
  TYPE.gnuDumpDirectory,
  TYPE.hardlink,
])

/**
 * Puts together what the headers say: GNU long names over PAX records over the header block, the order in
 * which Go, and so every container engine, has them.
 *
 * @throws FormatError; BootableError `LIMIT_EXCEEDED`
 */
export function describeMember(
  headers: MemberHeaders,
  place: MemberPlace,
  limits: Required<LayerLimits>,
): DescribedMember {
  const { block } = headers
  const flag = typeFlag(block)
  const type = TYPES[flag]
  if (!type) {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      { format: 'tar', structure: 'header, typeflag', offset: place.offset, actual: flag },
      `member ${place.index} is of the unknown type ${JSON.stringify(flag)}`,
    )
  }
  const pax = mergePax(headers.global, headers.own, place, limits)
  const name = headers.longName ?? pax.get('GNU.sparse.name') ?? pax.get('path') ?? headerPath(block)
  const link = headers.longLink ?? pax.get('linkpath') ?? textField(block, HEADER.linkName)
  const text = decodeName(name, 'path', place, limits)
  // Version 7 marked a directory by the slash at the end of its name.
  const isDirectory = type === 'directory' || (flag === TYPE.regularV7 && text.endsWith('/'))
  const path = normalisePath(text, 'path', place, limits)
  if (path === '' && !isDirectory) throw invalid(place, 'path', `a ${type} cannot be the root`)

  const { offset } = place
  const isDevice = type === 'character' || type === 'block'
  const member: TarMember = {
    path,
    type: isDirectory ? 'directory' : type,
    mode: memberMode(block, place),
    uid: memberId(block, 'uid', pax, offset),
    gid: memberId(block, 'gid', pax, offset),
    mtime: memberTime(block, pax, offset),
    size: 0,
    linkName: linkTarget(link, type, place, limits),
    major: isDevice ? memberNumber(block, HEADER.deviceMajor, pax, 'SCHILY.devmajor', offset) : 0,
    minor: isDevice ? memberNumber(block, HEADER.deviceMinor, pax, 'SCHILY.devminor', offset) : 0,
    xattrs: pax.xattrs,
    offset: offset + BLOCK_SIZE,
  }
  const stored = STORED.has(flag) ? memberSize(block, pax, offset) : 0
  return { member, flag, stored, nameLength: name.length + link.length }
}

/** PAX `size` overrides the header for the content and for the way to the next header alike. */
function memberSize(block: Uint8Array, pax: EffectivePax, at: number): number {
  return memberNumber(block, HEADER.size, pax, 'size', at)
}

function memberMode(block: Uint8Array, place: MemberPlace): number {
  const mode = numberField(block, HEADER.mode, place.offset)
  if (mode < 0) throw invalid(place, 'mode', `${mode} is negative`)
  // Some writers put the type there too, as in st_mode.
  return mode % 0o10000
}

function linkTarget(
  bytes: Uint8Array,
  type: TarMemberType,
  place: MemberPlace,
  limits: Required<LayerLimits>,
): string {
  if (type !== 'symlink' && type !== 'hardlink') return ''
  const text = decodeName(bytes, 'link target', place, limits)
  const target = type === 'hardlink' ? normalisePath(text, 'link target', place, limits) : text
  if (target === '') throw invalid(place, 'link target', `a ${type} to nothing`)
  return target
}

function invalid({ index, offset }: MemberPlace, what: string, message: string): FormatError {
  return new FormatError(
    'FORMAT_INVALID',
    { format: 'tar', structure: `member ${index}, ${what}`, offset },
    message,
  )
}
