export { parseAuthorizedKeys } from './accounts/authorized-keys.ts'
export type { ColonFile } from './accounts/colon-file.ts'
export { type Sha512CryptOptions, sha512Crypt } from './accounts/crypt.ts'
export { type CustomizeAccountsOptions, customizeAccounts } from './accounts/customize.ts'
export { type AccountDatabase, openAccounts } from './accounts/database.ts'
export { hashPassword } from './accounts/password.ts'
export { plannedHomes } from './accounts/planned-homes.ts'
export type { AccountSettings, SubordinateSettings } from './accounts/settings.ts'
export * from './architecture.ts'
export { checkMountPoints } from './check-mounts.ts'
export { type EncryptedVolume, encryptedVolumes, mergeCrypttab } from './crypttab.ts'
export { type CustomizeFilesOptions, customizeFiles } from './customize-files.ts'
export * from './customize-system.ts'
export * from './deploy-plain.ts'
export { cloneTree, readText } from './edit.ts'
export * from './embedded-configuration.ts'
export * from './errors.ts'
export { mergeFstab } from './fstab.ts'
export * from './install-configuration.ts'
export * from './installed-system.ts'
export {
  findKernels,
  findUnifiedKernels,
  isLabelledBootable,
  requireBootable,
  type UnifiedKernelFile,
} from './kernel.ts'
export {
  collectKernelArguments,
  composeKernelArguments,
  DEFAULT_KERNEL_ARGUMENTS,
  type KernelArgumentOptions,
  splitKernelArguments,
} from './kernel-arguments.ts'
export { measureFiles } from './measure.ts'
export { mountUnit, type Unit } from './mount-units.ts'
export * from './mounts.ts'
export { parseOsRelease, readOsRelease } from './os-release.ts'
export { completeLinks } from './root-directories.ts'
export type { InodeType } from './selinux/file-contexts.ts'
export {
  type LabelTreeOptions,
  labelBytes,
  labelPlain,
  labelTree,
  SELINUX_XATTR,
} from './selinux/label-tree.ts'
export {
  type ReadSelinuxPolicyOptions,
  readSelinuxPolicy,
  type SelinuxPolicy,
} from './selinux/policy.ts'
export * from './updates.ts'
export * from './write-mounts.ts'
