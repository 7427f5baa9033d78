export * from './build.ts'
export * from './check-update.ts'
export * from './convert.ts'
export * from './copy-image.ts'
export * from './diff-images.ts'
export * from './image-target.ts'
export { type InspectFileOptions, inspectFile } from './inspect.ts'
export { type OpenDiskPathOptions, type OpenedDiskPath, openDiskPath } from './open-disk.ts'
export {
  type OpenedImage,
  type OpenedStore,
  type OpenImageSourceOptions,
  openImageSource,
  openImageStore,
  openStoreOf,
} from './open-image.ts'
export * from './outputs.ts'
export { type VerifyImageSourceOptions, verifyImageSource } from './verify-image.ts'
