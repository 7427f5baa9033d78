export * from './build.ts'
export * from './check-update.ts'
export * from './convert.ts'
export { type InspectFileOptions, inspectFile } from './inspect.ts'
export { type OpenDiskPathOptions, type OpenedDiskPath, openDiskPath } from './open-disk.ts'
export {
  type OpenedImage,
  type OpenImageSourceOptions,
  openImageSource,
  openImageStore,
} from './open-image.ts'
export * from './outputs.ts'
