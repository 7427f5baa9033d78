import { alignUp, FormatError, isZero } from '@bootable/bytes'
import { checkLimit, DEFAULT_LAYER_LIMITS, type LayerLimits } from './limits.ts'
import { addGlobalRecords } from './tar-attributes.ts'
import { BLOCK_SIZE, HEADER, type TarMember, TYPE } from './tar-format.ts'
import { checksumMatches, numberField, typeFlag } from './tar-header.ts'
import { describeMember } from './tar-member.ts'
import { type PaxRecords, parsePaxRecords } from './tar-pax.ts'
import {
  createSparseMapReader,
  gnuSparseExtension,
  gnuSparseHeader,
  paxSparse,
  placeSparse,
  type SparseMap,
} from './tar-sparse.ts'

/** Options of {@link createTarParser}. */
export interface TarParserOptions {
  /** Called for every member, in the order of the archive, as soon as its headers are complete. */
  readonly onMember: (member: TarMember) => void
  readonly limits?: LayerLimits
}

/** Reads a tar archive that arrives in chunks of any size. Contents are passed over, not kept. */
export interface TarParser {
  /** @throws FormatError; BootableError `LIMIT_EXCEEDED` */
  push(chunk: Uint8Array): void
  /** Bytes of content and padding that come next: {@link skip} may stand for pushing them. */
  readonly ahead: number
  /** Passes over at most {@link ahead} bytes without having them. */
  skip(length: number): void
  /** Set once the two zero blocks that end an archive were met; what follows them is not looked at. */
  readonly ended: boolean
  /** Bytes behind the end that are not padding: another archive, perhaps, which no layer has. */
  readonly trailing: number
  /** Says that there is no more. @throws FormatError `FORMAT_TRUNCATED` inside a member */
  end(): void
}

/** A parser for one archive. It is pushed, so that no member costs a turn of the event loop. */
export function createTarParser(options: TarParserOptions): TarParser {
  const limits = { ...DEFAULT_LAYER_LIMITS, ...options.limits }
  /** Offset in the archive of the data that is being handled, or of the next byte. */
  let position = 0
  let handle: (data: Uint8Array) => void = readHeader
  /** Bytes that `handle` takes, and those of them that a chunk ended with. */
  let need = BLOCK_SIZE
  let held = new Uint8Array(BLOCK_SIZE)
  let heldLength = 0
  /** Content that passes by, and how much of it is padding: some writers leave that out at the end. */
  let skipping = 0
  let padding = 0
  let zeroBlocks = 0
  let trailing = 0

  let members = 0
  let metadata = 0
  const global = new Map<string, Uint8Array>()
  let own: PaxRecords | undefined
  let longName: Uint8Array | undefined
  let longLink: Uint8Array | undefined
  /** Bytes that a hard link's header announced and that may or may not follow. */
  let linkBody = 0

  function fail(structure: string, message: string, actual?: unknown): FormatError {
    return new FormatError('FORMAT_INVALID', { format: 'tar', structure, offset: position, actual }, message)
  }

  /** Lets content pass that starts behind the data that is being handled; a header comes after it. */
  function passOver(length: number): void {
    skipping = alignUp(length, BLOCK_SIZE)
    padding = skipping - length
    if (!Number.isSafeInteger(position + need + skipping)) throw fail('header, size', 'beyond 2^53', length)
    need = BLOCK_SIZE
    handle = readHeader
  }

  function count(bytes: number): void {
    metadata += bytes
    checkLimit('names, xattrs and sparse maps of the archive', metadata, 'metadata', limits.metadata)
  }

  function isHalfway(): boolean {
    return own !== undefined || longName !== undefined || longLink !== undefined
  }

  function readHeader(block: Uint8Array): void {
    const announced = linkBody
    linkBody = 0
    if (block[0] === 0 && isZero(block)) {
      if (isHalfway()) throw fail('header', 'the archive ends between a header and its member')
      zeroBlocks++
      return
    }
    if (zeroBlocks > 0) throw fail('header', 'a single zero block in the middle of the archive')
    if (!checksumMatches(block, position)) {
      if (announced === 0) throw badChecksum()
      // POSIX lets a pax archive give a hard link a body; GNU and Go ignore its size. What followed the
      // link is no header, so it is the body. Readers that ignore the size could not go on from here.
      passOver(Math.max(0, announced - BLOCK_SIZE))
      return
    }
    readTyped(block, typeFlag(block))
  }

  function readTyped(block: Uint8Array, flag: string): void {
    switch (flag) {
      case TYPE.extended:
      case TYPE.extendedSolaris:
        collect(block, (data, at) => {
          own = parsePaxRecords(data, at)
        })
        break
      case TYPE.extendedGlobal:
        collect(block, (data, at) => addGlobalRecords(global, parsePaxRecords(data, at), at))
        break
      case TYPE.gnuLongName:
        collect(block, (data) => {
          longName = untilNul(data)
        })
        break
      case TYPE.gnuLongLink:
        collect(block, (data) => {
          longLink = untilNul(data)
        })
        break
      case TYPE.gnuVolume:
        passOver(ownSize(block))
        break
      default:
        readMember(block)
    }
  }

  /** The size of a header that describes another one: no record of an extended header is about it. */
  function ownSize(block: Uint8Array): number {
    const size = numberField(block, HEADER.size, position)
    if (size < 0) throw fail('header, size', 'negative', size)
    return size
  }

  /** Takes the content of a header that describes the member behind it. */
  function collect(block: Uint8Array, use: (data: Uint8Array, at: number) => void): void {
    const size = ownSize(block)
    checkLimit(`the extended header before member ${members}`, size, 'extendedHeader', limits.extendedHeader)
    count(size)
    if (size === 0) {
      use(new Uint8Array(0), position)
      return
    }
    need = alignUp(size, BLOCK_SIZE)
    handle = (data) => {
      use(data.slice(0, size), position)
      passOver(0)
    }
  }

  function readMember(block: Uint8Array): void {
    checkLimit('members of the archive', members + 1, 'entries', limits.entries)
    const records = own ?? []
    const { member, flag, stored, nameLength } = describeMember(
      { block, global, own: records, longName, longLink },
      { index: members, offset: position },
      limits,
    )
    members++
    count(nameLength)
    own = undefined
    longName = undefined
    longLink = undefined

    if (member.type === 'hardlink') {
      linkBody = stored
      options.onMember(member)
      return
    }
    if (member.type === 'file') {
      readFile(block, flag, records, member, stored)
      return
    }
    passOver(stored)
    options.onMember(member)
  }

  function readFile(
    block: Uint8Array,
    flag: string,
    records: PaxRecords,
    member: TarMember,
    stored: number,
  ): void {
    const sparse = flag === TYPE.gnuSparse ? undefined : paxSparse(records, position)
    if (flag === TYPE.gnuSparse) readGnuSparse(block, member, stored)
    else if (sparse?.where === 'data') readSparseMap(member, stored, sparse.realSize)
    else if (sparse) emitSparse(member, sparse.map, stored)
    else {
      passOver(stored)
      options.onMember({ ...member, size: stored })
    }
  }

  /** The old GNU format: the map goes on in blocks behind the header. */
  function readGnuSparse(block: Uint8Array, member: TarMember, stored: number): void {
    const { realSize, pairs, extended } = gnuSparseHeader(block, position)
    if (realSize < 0) throw fail('sparse map', 'the size of the file is negative', realSize)
    if (!extended) {
      emitSparse(member, { realSize, pairs }, stored)
      return
    }
    handle = (data) => {
      const more = gnuSparseExtension(data, position)
      pairs.push(...more.pairs)
      count(BLOCK_SIZE)
      if (!more.extended) emitSparse(member, { realSize, pairs }, stored)
    }
  }

  /** GNU sparse format 1.0 in PAX: the map takes the first blocks of what is stored. */
  function readSparseMap(member: TarMember, stored: number, realSize: number): void {
    const reader = createSparseMapReader(limits)
    let left = stored
    handle = (data) => {
      left -= BLOCK_SIZE
      if (left < 0) throw fail('sparse map', `it passes the ${stored} bytes that are stored`)
      count(BLOCK_SIZE)
      const pairs = reader.push(data, position)
      if (pairs) emitSparse(member, { realSize, pairs }, left)
    }
  }

  /** The stored stretches start behind the block that is being handled. */
  function emitSparse(member: TarMember, map: SparseMap, stored: number): void {
    const offset = position + BLOCK_SIZE
    const sparse = placeSparse(map, offset, stored)
    passOver(stored)
    options.onMember({ ...member, size: map.realSize, offset, sparse })
  }

  function badChecksum(): FormatError {
    return new FormatError(
      'FORMAT_CHECKSUM',
      { format: 'tar', structure: 'header', offset: position },
      members === 0 ? 'this is not a tar archive' : `no header where member ${members} should start`,
    )
  }

  function take(data: Uint8Array): void {
    const length = need
    handle(data)
    position += length
  }

  /** Keeps the end of a chunk until the next one completes it; answers how many bytes it took. */
  function hold(rest: Uint8Array): number {
    if (held.length < need) {
      const larger = new Uint8Array(need)
      larger.set(held.subarray(0, heldLength))
      held = larger
    }
    const length = Math.min(need - heldLength, rest.length)
    held.set(rest.subarray(0, length), heldLength)
    heldLength += length
    if (heldLength === need) {
      heldLength = 0
      take(held.subarray(0, need))
    }
    return length
  }

  const parser: TarParser = {
    push(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const left = chunk.length - at
        if (zeroBlocks === 2) {
          if (!isZero(chunk.subarray(at))) trailing += left
          position += left
          return
        }
        if (skipping > 0) {
          const length = Math.min(skipping, left)
          parser.skip(length)
          at += length
        } else if (heldLength === 0 && left >= need) {
          const data = chunk.subarray(at, at + need)
          at += need
          take(data)
        } else at += hold(chunk.subarray(at))
      }
    },
    get ahead() {
      return skipping
    },
    skip(length) {
      if (length > skipping) throw new RangeError(`${length} bytes to skip, but ${skipping} are ahead`)
      skipping -= length
      position += length
    },
    get ended() {
      return zeroBlocks === 2
    },
    get trailing() {
      return trailing
    },
    end() {
      const complete = heldLength === 0 && handle === readHeader && skipping <= padding
      if (complete && !isHalfway()) return
      throw new FormatError(
        'FORMAT_TRUNCATED',
        { format: 'tar', structure: 'archive', offset: position + heldLength },
        `the archive ends within member ${skipping > 0 ? members - 1 : members}`,
      )
    },
  }
  return parser
}

function untilNul(data: Uint8Array): Uint8Array {
  const end = data.indexOf(0)
  return end < 0 ? data : data.subarray(0, end)
}
