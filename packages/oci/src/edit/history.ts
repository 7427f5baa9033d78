import type { History } from '../wire/types.ts'

/**
 * A history with more entries. Its entries that are not of `empty_layer` stand for the layers one by one
 * (image-spec, "Image Configuration"); an image that says less about its layers than it has gets entries
 * that say nothing but the time of the image, so that the new ones stand for theirs.
 *
 * @param image what the history so far is, and what it should be about
 */
export function extendHistory(
  image: {
    readonly history: readonly History[] | null | undefined
    readonly layers: number
    readonly created: string | undefined
  },
  entries: readonly History[],
): { history?: readonly History[] } {
  const known = image.history ?? []
  if (known.length === 0 && entries.length === 0) return {}
  const missing = entries.length === 0 ? 0 : image.layers - known.filter(isLayer).length
  const blank: History = image.created === undefined ? {} : { created: image.created }
  const padding = Array.from({ length: Math.max(0, missing) }, () => blank)
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
