/*
 * POSIX ACLs have two forms. What `getxattr` shows and archives carry is version 2, little-endian, eight
 * bytes an entry (`posix_acl_xattr.h`); XFS keeps a count and twelve bytes an entry, big-endian
 * (`struct xfs_acl`).
 */

/** `POSIX_ACL_XATTR_VERSION`. */
const VERSION = 2
const SHOWN_HEADER = 4
const SHOWN_ENTRY = 8
const DISK_HEADER = 4
const DISK_ENTRY = 12

/** From the form of `getxattr` to that of XFS; `undefined` where the value is not an ACL. */
export function aclToDisk(value: Uint8Array): Uint8Array | undefined {
  const count = (value.length - SHOWN_HEADER) / SHOWN_ENTRY
  const shown = viewOf(value)
  if (!Number.isInteger(count) || count < 0 || shown.getUint32(0, true) !== VERSION) return undefined
  const bytes = new Uint8Array(DISK_HEADER + count * DISK_ENTRY)
  const disk = viewOf(bytes)
  disk.setUint32(0, count)
  for (let index = 0; index < count; index++) {
    const [from, to] = [SHOWN_HEADER + index * SHOWN_ENTRY, DISK_HEADER + index * DISK_ENTRY]
    disk.setUint32(to, shown.getUint16(from, true))
    disk.setUint32(to + 4, shown.getUint32(from + 4, true))
    disk.setUint16(to + 8, shown.getUint16(from + 2, true))
  }
  return bytes
}

/** From the form of XFS to that of `getxattr`; `undefined` where the value is not an ACL. */
export function aclFromDisk(value: Uint8Array): Uint8Array | undefined {
  const count = (value.length - DISK_HEADER) / DISK_ENTRY
  const disk = viewOf(value)
  if (!Number.isInteger(count) || count < 0 || disk.getUint32(0) !== count) return undefined
  const bytes = new Uint8Array(SHOWN_HEADER + count * SHOWN_ENTRY)
  const shown = viewOf(bytes)
  shown.setUint32(0, VERSION, true)
  for (let index = 0; index < count; index++) {
    const [from, to] = [DISK_HEADER + index * DISK_ENTRY, SHOWN_HEADER + index * SHOWN_ENTRY]
    shown.setUint16(to, disk.getUint32(from), true)
    shown.setUint16(to + 2, disk.getUint16(from + 8), true)
    shown.setUint32(to + 4, disk.getUint32(from + 4), true)
  }
  return bytes
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
