import { type FetchLayersOptions, fetchLayers, type Image, type ImageLayer } from '@bootable/oci'
import { isLabelledBootable } from '@bootable/system'

/** How the installed system is laid out; `auto` is `ostree` for images that were made for it. */
export type LayoutName = 'auto' | 'ostree' | 'plain'

/** Options of {@link chooseLayout}. */
export interface ChooseLayoutOptions extends FetchLayersOptions {
  /** @defaultValue `auto` */
  readonly layout?: LayoutName
}

/** A layout that was chosen. */
export interface LayoutChoice {
  readonly layout: 'ostree' | 'plain'
  /** Why an image that says it is bootable cannot have the ostree layout: a sentence for people. */
  readonly problem?: string
}

/** What finds the deployment at boot; dracut copies it from here into the initramfs. */
const PREPARE_ROOT = 'usr/lib/ostree/ostree-prepare-root'

/** Where bootc looks for one. */
const UNIFIED_KERNEL = /^boot\/EFI\/Linux\/[^/]+\.efi$/

/**
 * Chooses the layout of an image. An image that carries a label of bootc's gets the ostree layout, if it has
 * ostree in it: without `ostree-prepare-root` a machine would not find its root.
 *
 * Where there is a choice the layers are fetched, since only they tell; they stay in the cache.
 *
 * @throws BootableError of `fetchLayers`
 */
export async function chooseLayout(image: Image, options: ChooseLayoutOptions = {}): Promise<LayoutChoice> {
  const { layout = 'auto' } = options
  if (layout === 'plain') return { layout }
  const labels = image.config.value.config?.Labels ?? {}
  if (layout === 'auto' && !isLabelledBootable(labels)) return { layout: 'plain' }
  const layers = await fetchLayers(image, options)
  if (
    layout === 'auto' &&
    layers.some(({ members }) => members.some(({ path }) => UNIFIED_KERNEL.test(path)))
  ) {
    return {
      layout: 'plain',
      problem:
        'The image carries a unified kernel image. bootc installs such images by composefs, without ostree; here it gets the plain layout and does not update itself.',
    }
  }
  if (hasFile(layers, PREPARE_ROOT)) return { layout: 'ostree' }
  const missing = `The image has no ostree in it (/${PREPARE_ROOT} is missing)`
  return layout === 'auto'
    ? { layout: 'plain', problem: `${missing}, so it gets the plain layout and does not update itself.` }
    : { layout: 'ostree', problem: `${missing}: a machine with the ostree layout will not find its root.` }
}

/** Whether some layer brings a file. One that a higher layer took away again is not looked for: nobody does. */
function hasFile(layers: readonly ImageLayer[], path: string): boolean {
  return layers.some(({ members }) => members.some((member) => member.path === path))
}
