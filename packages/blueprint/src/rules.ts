// What follows from a blueprint that was loaded: without the schema, and so without the time that zod takes.
export { labelProblem } from './labels.ts'
export { DANGEROUS_MOUNT_POINTS, isAllowedMountPoint } from './mount-points.ts'
export { type ArtifactKind, unheededCustomizations } from './support.ts'
export { isReservedVolumeName } from './volume-names.ts'
