export * from './build.ts'
export * from './inspect.ts'
export * from './open-image.ts'
export * from './outputs.ts'
