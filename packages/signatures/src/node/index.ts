export { defaultPolicyPaths, loadPolicy } from './load-policy.ts'
export { sigstoreVerifier } from './sigstore-verifier.ts'
export { checkPublicKey } from './trust-source.ts'
