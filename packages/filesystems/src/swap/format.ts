import { ascii, bytes, struct, u32 } from '@bootable/bytes'

/** `SWAPSPACE2` stands at the very end of the first page, which is how its size is found. */
export const MAGIC = 'SWAPSPACE2'

/** Sizes of a page that Linux runs with, by architecture and configuration. */
export const PAGE_SIZES = [4096, 8192, 16_384, 65_536] as const

/** mkswap makes no smaller area, and swapon takes none without one good page. */
export const MIN_PAGES = 10

/** `last_page` has 32 bits. */
export const MAX_PAGES = 2 ** 32

/** `union swap_header`, `info`, of `include/linux/swap.h`, behind the bytes left to boot code. */
export const SwapHeader = struct('swap_header', 1536, {
  version: u32(0x400),
  lastPage: u32(0x404), // last_page, inclusive
  nrBadpages: u32(0x408), // nr_badpages
  uuid: bytes(0x40c, 16), // sws_uuid

  volume: ascii(0x41c, 16), // sws_volume
})

/** Version of the header; 0 had a bitmap instead, and is gone from kernels since 2.6. */
export const VERSION = 1
