export * from './archive.ts'
export { folderLayerCache, type TemporaryLayerCacheOptions, temporaryLayerCache } from './layer-cache.ts'
export * from './layout.ts'
