import type { TarMember, TarMemberType } from '@bootable/oci'

/** A member of a layer as a test tells it; owner 0:0 and time 0 unless told otherwise. */
export interface LayerEntry
  extends Partial<Pick<TarMember, 'mode' | 'uid' | 'gid' | 'mtime' | 'linkName' | 'xattrs'>> {
  readonly path: string
  readonly type: TarMemberType
}

/** {@link LayerEntry} with its content. */
export interface LayerFile extends LayerEntry {
  readonly data?: string | Uint8Array
}

const TYPE_FLAGS: Readonly<Record<TarMemberType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

/** A layer with exactly these members in this order: parents may be missing, names may come twice. */
export function layerTar(entries: readonly LayerFile[]): Buffer {
  const blocks = entries.flatMap(({ data = '', ...entry }) => {
    const content = Buffer.from(data)
    return [tarHeader(entry, content.length), content, tarPadding(content.length)]
  })
  return Buffer.concat([...blocks, TAR_END])
}

/** The two zero blocks after the last member. */
export const TAR_END = Buffer.alloc(1024)

/** What stands between content of that size and the next header. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((512 - (size % 512)) % 512)
}

/** The header of a member: ustar, and a PAX header before it for xattrs and for what is too long. */
export function tarHeader(entry: LayerEntry, size: number): Buffer {
  const { path, type, linkName = '', xattrs = new Map<string, Uint8Array>() } = entry
  const name = type === 'directory' ? `${path === '' ? '.' : path}/` : path
  const records = [
    ...(Buffer.byteLength(name) > 100 ? [record('path', Buffer.from(name))] : []),
    ...(Buffer.byteLength(linkName) > 100 ? [record('linkpath', Buffer.from(linkName))] : []),
    ...[...xattrs].map(([key, value]) => record(`SCHILY.xattr.${key}`, value)),
  ]
  const header = block({ ...entry, path: name }, TYPE_FLAGS[type], size)
  if (records.length === 0) return header
  const extended = Buffer.concat(records)
  return Buffer.concat([
    block({ path: 'PaxHeader', type }, 'x', extended.length),
    extended,
    tarPadding(extended.length),
    header,
  ])
}

/** `length key=value\n`, the length counting itself. */
function record(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')])
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.concat([Buffer.from(String(length)), rest])
}

function block(entry: LayerEntry, typeFlag: string, size: number): Buffer {
  const { path, mode = 0o755, uid = 0, gid = 0, mtime, linkName = '' } = entry
  const header = Buffer.alloc(512)
  const octal = (value: number, at: number, length: number): void => {
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at)
  }
  header.write(path, 0, 100)
  octal(mode, 100, 8)
  octal(uid, 108, 8)
  octal(gid, 116, 8)
  octal(size, 124, 12)
  octal(mtime?.seconds ?? 0, 136, 12)
  header.write(typeFlag, 156)
  header.write(linkName, 157, 100)
  header.write('ustar\x0000', 257)
  header.write('        ', 148)
  const sum = header.reduce((total, byte) => total + byte, 0)
  octal(sum, 148, 8)
  return header
}
