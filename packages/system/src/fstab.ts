import { compareBytewise } from '@bootable/bytes'
import type { MountPoint } from './mounts.ts'

/**
 * Adds mounts to an fstab(5): one tab-separated line each, by pass number and path. Of the lines that are
 * there only those for the same places go; comments and everything else stay as they are.
 */
export function mergeFstab(text: string, mounts: readonly MountPoint[]): string {
  const places = new Set(mounts.map(place))
  const kept = text.split('\n').filter((line) => {
    const [spec = '', path = ''] = line.trim().split(/\s+/)
    if (spec === '' || spec.startsWith('#')) return true
    return !places.has(path === 'none' || path === 'swap' ? spec : normalize(decodePath(path)))
  })
  // The last line's newline leaves an empty text behind.
  if (kept[kept.length - 1] === '') kept.pop()
  const added = [...mounts]
    .sort((a, b) => a.passno - b.passno || compareBytewise(a.path, b.path))
    .map(({ path, type, uuid, options, freq, passno }) =>
      [
        `UUID=${uuid}`,
        encodePath(type === 'swap' ? 'none' : path),
        type,
        options || 'defaults',
        freq,
        passno,
      ].join('\t'),
    )
  return [...kept, ...added].map((line) => `${line}\n`).join('')
}

/** What two lines of an fstab cannot both speak of. */
function place({ type, path, uuid }: MountPoint): string {
  return type === 'swap' ? `UUID=${uuid}` : normalize(path)
}

function normalize(path: string): string {
  return path.replace(/\/+$/, '') || '/'
}

/** Blanks and backslashes are octal in an fstab (getmntent(3)). */
function encodePath(path: string): string {
  return path.replace(
    /[ \t\n\\]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  )
}

function decodePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
