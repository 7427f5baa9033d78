export * from './archive.ts'
export * from './layout.ts'
