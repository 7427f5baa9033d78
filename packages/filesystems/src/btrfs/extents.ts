/** A stretch of a file that lies on disk in one piece. All values count bytes. */
export interface PlacedExtent {
  /** Its place in the file. */
  readonly fileOffset: number
  /** Bytes of the file, whole sectors. */
  readonly length: number
  /** Logical address. */
  readonly address: number
  /** Bytes on disk, whole sectors; fewer than `length` where it is compressed. */
  readonly diskLength: number
  /** `btrfs_file_extent_item.compression`. */
  readonly compression: number
}

/** The extents of files, in the order in which they were placed: by file and by address at once. */
export interface ExtentTable<Owner> {
  readonly count: number
  /** Adds an extent of a file; those of one file come one after the other. */
  add(owner: Owner, extent: PlacedExtent): void
  at(index: number): PlacedExtent
  /** The extents of a file; none for one that was never added. */
  of(owner: Owner): Iterable<PlacedExtent>
  /** All extents with their files. */
  entries(): Iterable<readonly [Owner, PlacedExtent]>
}

const FIELDS = 5

/** Forty bytes an extent: a compressed file has one for every 128 KiB. */
export function createExtentTable<Owner>(): ExtentTable<Owner> {
  let values = new Float64Array(1024 * FIELDS)
  let count = 0
  const owners = new Map<Owner, { readonly first: number; count: number }>()

  const at = (index: number): PlacedExtent => {
    const base = index * FIELDS
    return {
      fileOffset: values[base] as number,
      length: values[base + 1] as number,
      address: values[base + 2] as number,
      diskLength: values[base + 3] as number,
      compression: values[base + 4] as number,
    }
  }
  return {
    get count() {
      return count
    },
    add(owner, { fileOffset, length, address, diskLength, compression }) {
      if (count * FIELDS === values.length) {
        const larger = new Float64Array(values.length * 2)
        larger.set(values)
        values = larger
      }
      values.set([fileOffset, length, address, diskLength, compression], count * FIELDS)
      const known = owners.get(owner)
      if (known) known.count++
      else owners.set(owner, { first: count, count: 1 })
      count++
    },
    at,
    *of(owner) {
      const range = owners.get(owner)
      for (let index = 0; index < (range?.count ?? 0); index++) yield at((range?.first ?? 0) + index)
    },
    *entries() {
      for (const [owner, range] of owners) {
        for (let index = 0; index < range.count; index++) yield [owner, at(range.first + index)] as const
      }
    },
  }
}
