import { type InodeAttributes, TYPE_BITS } from '@bootable/tree'
import { uint32be } from '../gvariant/basic.ts'
import { tuple } from '../gvariant/container.ts'
import { invalidObject } from './checksum.ts'
import { xattrArray } from './xattrs.ts'

/** Owner, permission bits (`0o0000` to `0o7777`) and extended attributes of a directory. */
export type Dirmeta = Readonly<Pick<InodeAttributes, 'uid' | 'gid' | 'mode'>> & {
  readonly xattrs: ReadonlyMap<string, Uint8Array>
}

/** `(uuua(ayay))`, the numbers in network order; the mode carries `S_IFDIR` there. */
const dirmeta = tuple(uint32be, uint32be, uint32be, xattrArray)

/** @throws BootableError `OSTREE_INVALID_XATTR` */
export function encodeDirmeta({ uid, gid, mode, xattrs }: Dirmeta): Uint8Array {
  return dirmeta.encode([uid, gid, TYPE_BITS.directory | mode, xattrs])
}

/** @throws FormatError */
export function decodeDirmeta(bytes: Uint8Array): Dirmeta {
  const [uid, gid, mode, xattrs] = dirmeta.decode(bytes, 0)
  if ((mode & ~0o7777) !== TYPE_BITS.directory) {
    throw invalidObject('dirmeta', `0${mode.toString(8)} is not the mode of a directory`)
  }
  return { uid, gid, mode: mode & 0o7777, xattrs }
}
