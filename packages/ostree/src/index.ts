export * from './errors.ts'
export * from './sysroot/key-file.ts'
export * from './sysroot/prepare-root.ts'
