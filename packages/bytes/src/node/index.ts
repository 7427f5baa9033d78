export * from './file.ts'
export * from './output.ts'
export * from './runtime.ts'
