export * from './file.ts'
export * from './folder.ts'
export * from './output.ts'
export * from './runtime.ts'
