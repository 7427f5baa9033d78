import { BootableError, compareBytewise } from '@bootable/bytes'
import type { OstreeErrorCode } from '../errors.ts'
import { string } from '../gvariant/basic.ts'
import { array, tuple } from '../gvariant/container.ts'
import { type Checksum, checksumBytes, invalidObject } from './checksum.ts'

/** The two objects that a subdirectory consists of: its entries and its attributes. */
export interface DirectoryReference {
  readonly tree: Checksum
  readonly meta: Checksum
}

/** The entries of a directory by name. */
export interface Dirtree {
  readonly files: ReadonlyMap<string, Checksum>
  readonly directories: ReadonlyMap<string, DirectoryReference>
}

/** `(a(say)a(sayay))`, each array sorted by the bytes of its names. */
const dirtree = tuple(array(tuple(string, checksumBytes)), array(tuple(string, checksumBytes, checksumBytes)))

/** @throws BootableError `OSTREE_INVALID_NAME` */
export function encodeDirtree({ files, directories }: Dirtree): Uint8Array {
  for (const name of [...files.keys(), ...directories.keys()]) checkName(name)
  return dirtree.encode([
    sortByName(files).map(([name, checksum]) => [name, checksum] as const),
    sortByName(directories).map(([name, { tree, meta }]) => [name, tree, meta] as const),
  ])
}

/** @throws FormatError also where names are not allowed, doubled or not sorted */
export function decodeDirtree(bytes: Uint8Array): Dirtree {
  const [files, directories] = dirtree.decode(bytes, 0)
  checkNames(files.map(([name]) => name))
  checkNames(directories.map(([name]) => name))
  const fileMap = new Map(files.map(([name, checksum]) => [name, checksum]))
  const both = directories.find(([name]) => fileMap.has(name))
  if (both) throw invalidObject('dirtree', `${JSON.stringify(both[0])} is a file and a directory`)
  return {
    files: fileMap,
    directories: new Map(directories.map(([name, tree, meta]) => [name, { tree, meta }])),
  }
}

/** Whether a file may have this name: valid text, neither `.` nor `..`, without `/` and zero bytes. */
export function isFileName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0\p{Surrogate}]/u.test(name)
}

function checkName(name: string): void {
  if (isFileName(name)) return
  throw new BootableError<OstreeErrorCode>(
    'OSTREE_INVALID_NAME',
    `ostree allows no file named ${JSON.stringify(name)}`,
    { details: { name } },
  )
}

function checkNames(names: readonly string[]): void {
  for (const [index, name] of names.entries()) {
    const previous = names[index - 1]
    if (!isFileName(name)) throw invalidObject('dirtree', `no file is named ${JSON.stringify(name)}`)
    if (previous !== undefined && compareBytewise(previous, name) >= 0) {
      throw invalidObject(
        'dirtree',
        `${JSON.stringify(name)} does not come after ${JSON.stringify(previous)}`,
      )
    }
  }
}

function sortByName<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => compareBytewise(a, b))
}
