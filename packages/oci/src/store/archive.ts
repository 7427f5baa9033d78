import type { ByteSource } from '@bootable/bytes'
import { BootableError, detectCompression, FormatError } from '@bootable/bytes'
import { memberContent } from '../layer/content.ts'
import type { TarMember } from '../layer/tar-format.ts'
import { indexTar } from '../layer/tar-index.ts'
import type { OciErrorCode } from '../wire/errors.ts'
import type { LayoutFiles } from './layout.ts'

/** Members of an archive of images: two documents and a blob for each layer, a few of each. */
const MAX_MEMBERS = 100_000
/** Links followed from one member to the next. */
const MAX_LINKS = 8

/**
 * Looks at the headers of an archive; bodies are hopped over. As when it is unpacked, the last of several
 * members of one name counts, and links (old `docker save` writes them) lead to another member.
 *
 * @param name for messages
 * @throws FormatError when it is not a tar archive, is compressed, or was cut
 */
export async function openArchive(source: ByteSource, name: string): Promise<LayoutFiles> {
  await refuseCompressed(source, name)
  const members = new Map<string, TarMember>()
  for (const member of await indexTar(source, { limits: { entries: MAX_MEMBERS } })) {
    members.set(member.path, member)
  }
  const find = (path: string): ByteSource | undefined => {
    const member = followLinks(members, path)
    return member && memberContent(source, member)
  }
  return {
    name,
    open: async (path) => find(path),
    has: async (path) => find(path) !== undefined,
  }
}

async function refuseCompressed(source: ByteSource, name: string): Promise<void> {
  const head = new Uint8Array(Math.min(4, source.size))
  await source.read(0, head)
  const format = detectCompression(head)
  if (format === 'none') return
  throw new FormatError(
    'FORMAT_UNSUPPORTED',
    { format: 'tar', structure: 'archive', offset: 0, actual: format },
    `${name} is compressed with ${format}`,
    {
      hint: `decompress it first (${format === 'gzip' ? 'gunzip' : 'unzstd'}): images are read from anywhere in it`,
    },
  )
}

/** The regular file at a path; links do not leave the archive, since they never become paths of a host. */
function followLinks(members: ReadonlyMap<string, TarMember>, path: string): TarMember | undefined {
  let member = members.get(path)
  for (let links = 0; member?.type === 'symlink' || member?.type === 'hardlink'; links++) {
    if (links === MAX_LINKS) {
      throw new BootableError<OciErrorCode>(
        'LIMIT_EXCEEDED',
        `${path}: more than ${MAX_LINKS} links in a row`,
      )
    }
    member = members.get(linkTarget(member))
  }
  return member?.type === 'file' ? member : undefined
}

function linkTarget({ type, path, linkName }: TarMember): string {
  if (type === 'hardlink' || linkName.startsWith('/')) return linkName.replace(/^\/+/, '')
  const names = path.split('/').slice(0, -1)
  for (const name of linkName.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names.join('/')
}
