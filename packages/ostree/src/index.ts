export * from './composefs/fs-verity.ts'
export { type ComposefsImage, type ComposefsImageOptions, composefsImage } from './composefs/image.ts'
export type { OverlayTreeOptions } from './composefs/overlay-tree.ts'
export { type Aleph, formatAleph } from './deploy/aleph.ts'
export { type BootFile, type BootFiles, collectBootFiles } from './deploy/boot-files.ts'
export * from './deploy/deploy-ostree.ts'
export { checkoutDeployment } from './deploy/deployment.ts'
export * from './deploy/label.ts'
export { formatOrigin, formatTargetReference, typedTargetReference } from './deploy/origin.ts'
export * from './errors.ts'
export type { Variant } from './gvariant/variant.ts'
export * from './import/import-image.ts'
export { IMAGE_PREFIX, imageRef, LAYER_PREFIX, layerRef, unescapeRef } from './import/refs.ts'
export type { DeploymentBootEntry } from './inspect/boot-entries.ts'
export { countLabels, type Deployment, type LabelCount } from './inspect/deployment.ts'
export type { Finding } from './inspect/findings.ts'
export type { ImageFacts, LayerFacts } from './inspect/image-facts.ts'
export * from './inspect/sysroot.ts'
export {
  type Checksum,
  isChecksum,
  type ObjectType,
  objectPath,
  parseObjectPath,
} from './object/checksum.ts'
export * from './object/commit.ts'
export * from './object/dirmeta.ts'
export * from './object/dirtree.ts'
export * from './object/file.ts'
export { decodeCommitmeta, encodeCommitmeta, type Metadata, type MetadataValue } from './object/metadata.ts'
export { decodeXattrs, encodeXattrs } from './object/xattrs.ts'
export * from './repository/checkout.ts'
export * from './repository/checksum-files.ts'
export * from './repository/commit-tree.ts'
export * from './repository/config.ts'
export { openRepository } from './repository/read.ts'
export {
  createRepository,
  type MetadataType,
  type ObjectName,
  type Repository,
} from './repository/repository.ts'
export * from './repository/verify.ts'
export * from './repository/write.ts'
export * from './sysroot/key-file.ts'
export * from './sysroot/origin.ts'
export * from './sysroot/prepare-root.ts'
export * from './sysroot/target-reference.ts'
export * from './update/check-update.ts'
