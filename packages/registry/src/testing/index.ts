export type { TestFault, TestFaultKind, TestFaultMatch, TestFaultPosition } from './fault.ts'
export type {
  TestAccess,
  TestAuth,
  TestBlobRedirect,
  TestRateLimit,
  TestRegistryOptions,
  TestUser,
} from './options.ts'
export { createTestRegistry, type TestRegistry, type TestRegistryRequest } from './registry.ts'
