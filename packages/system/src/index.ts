export * from './architecture.ts'
export * from './install-configuration.ts'
export * from './installed-system.ts'
export * from './mounts.ts'
