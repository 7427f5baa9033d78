import { type Descriptor, isDigest, MEDIA_TYPE } from '@bootable/oci'
import { answer, type Call, failure, jsonAnswer } from './answer.ts'
import { checkDigest } from './blobs.ts'
import { type Context, pageOf, type Target } from './context.ts'
import type { StoredManifest } from './storage.ts'

/** distribution-spec, "Listing Tags". */
export function listTags(context: Context, call: Call, { name }: Target): Response {
  const repository = context.storage.repositories.get(name)
  if (!repository) return failure(404, 'NAME_UNKNOWN', 'repository name not known to registry')
  const { entries, headers } = pageOf(context, call, [...repository.tags.keys()], (tag) => tag)
  return jsonAnswer({ name, tags: entries }, headers)
}

/** distribution's own list of its repositories, which most registries have in some form. */
export function listCatalog(context: Context, call: Call): Response {
  const names = [...context.storage.repositories.keys()]
  const { entries, headers } = pageOf(context, call, names, (name) => name)
  return jsonAnswer({ repositories: entries }, headers)
}

/** distribution-spec, "Listing Referrers". A subject that nobody knows has none. */
export function listReferrers(context: Context, call: Call, { name, reference }: Target): Response {
  if (context.options.referrers === false) return answer(404)
  const invalid = checkDigest(reference)
  if (invalid) return invalid
  const artifactType = call.url.searchParams.get('artifactType')
  const manifests = [...(context.storage.repositories.get(name)?.manifests.values() ?? [])]
  const referrers = manifests
    .filter(({ document }) => isDigest(reference) && document.subject?.digest === reference)
    .map(describe)
    .filter((each) => artifactType === null || each.artifactType === artifactType)
  const { entries, headers } = pageOf(context, call, referrers, ({ digest }) => digest)
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: entries }
  const applied = artifactType === null ? {} : { 'OCI-Filters-Applied': 'artifactType' }
  return jsonAnswer(index, { ...headers, ...applied }, MEDIA_TYPE.index)
}

/** The type of an artifact without `artifactType` is that of its configuration. */
function describe({ raw, mediaType, digest, document }: StoredManifest): Descriptor {
  const { annotations } = document
  const artifactType = document.artifactType || document.config?.mediaType
  return {
    mediaType,
    digest,
    size: raw.length,
    ...(artifactType && { artifactType }),
    ...(annotations && { annotations }),
  }
}
