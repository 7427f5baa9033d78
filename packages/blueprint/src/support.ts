import type { Blueprint, Customizations } from './blueprint.ts'
import type { BlueprintWarning } from './issues.ts'

/** The kinds of artifact that heed different customizations. */
export type ArtifactKind = 'disk' | 'iso' | 'pxe'

const HEEDED: Readonly<Record<ArtifactKind, readonly (keyof Customizations)[]>> = {
  disk: [
    ...(['user', 'group', 'kernel', 'bootloader', 'filesystem', 'disk', 'files', 'directories'] as const),
    ...(['ignition', 'updates'] as const),
  ],
  iso: ['user', 'group', 'kernel', 'installer', 'fips', 'iso'],
  pxe: ['user', 'group', 'kernel', 'files', 'directories'],
}

/** One warning for each customization that an artifact of this kind cannot heed. */
export function unheededCustomizations(blueprint: Blueprint, kind: ArtifactKind): BlueprintWarning[] {
  return Object.keys(blueprint.customizations)
    .filter((key) => !HEEDED[kind].includes(key as keyof Customizations))
    .map((key) => ({
      key: `customizations.${key}`,
      message: `is not supported for ${kind} images, and ignored`,
    }))
}
