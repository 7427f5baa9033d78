import { Zstd } from '@hpcc-js/wasm-zstd'

/** What libzstd's wrapper keeps to itself. */
interface Heap {
  heapView(data: unknown): Uint8Array
  heapToUint8Array(data: unknown): Uint8Array
}

/**
 * libzstd as WebAssembly. Its wrapper (1.12.5) hands results out through an array of numbers, byte by byte,
 * which takes three times as long as compressing them; here they are copied as memory.
 */
export async function loadZstd(): Promise<Zstd> {
  const library = await Zstd.load()
  const { _mainModule: heap } = library as unknown as { readonly _mainModule?: Heap }
  // A later version may have other parts, and no need of this.
  if (typeof heap?.heapView === 'function') heap.heapToUint8Array = (data) => heap.heapView(data).slice()
  return library
}
