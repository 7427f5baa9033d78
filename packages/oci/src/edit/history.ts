import type { History } from '../wire/types.ts'

/**
 * A history with more entries. Its entries that are not of `empty_layer` stand for the layers one by one
 * (image-spec, "Image Configuration"); an image that says less about its layers than it has gets entries
 * that say nothing, so that the new ones stand for theirs.
 *
 * @param layers number of layers that `history` is about
 */
export function extendHistory(
  history: readonly History[] | null | undefined,
  layers: number,
  entries: readonly History[],
): { history?: readonly History[] } {
  const known = history ?? []
  if (known.length === 0 && entries.length === 0) return {}
  const missing = entries.length === 0 ? 0 : layers - known.filter(isLayer).length
  const padding = Array.from({ length: Math.max(0, missing) }, (): History => ({}))
  return { history: [...known, ...padding, ...entries] }
}

/** The entries of a history that come after those of its first layers. */
export function historyAfter(history: readonly History[], layers: number): readonly History[] {
  let seen = 0
  let at = 0
  while (at < history.length && seen < layers) if (isLayer(history[at++] as History)) seen++
  return history.slice(at)
}

function isLayer({ empty_layer: isEmpty }: History): boolean {
  return isEmpty !== true
}
