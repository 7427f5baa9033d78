import { type CipherDirection, type RuntimeOptions, xts } from '@bootable/bytes'
import { ecb } from '@noble/ciphers/aes.js'

/** XTS-AES under one key; sectors are numbered in units of 512 bytes. */
export interface SectorCipher {
  readonly sectorSize: number
  run(direction: CipherDirection, firstSector: number, data: Uint8Array): Promise<Uint8Array>
}

/** The runtime's own AES, or the portable one. */
export function createSectorCipher(
  key: Uint8Array,
  sectorSize: number,
  { runtime }: RuntimeOptions = {},
): SectorCipher {
  return {
    sectorSize,
    async run(direction, firstSector, data) {
      if (runtime?.aesXts) return runtime.aesXts(key, direction, sectorSize, firstSector, data)
      return xts(portableAes, key, direction, sectorSize, firstSector, data)
    },
  }
}

function portableAes(key: Uint8Array, direction: CipherDirection, data: Uint8Array): Uint8Array {
  return ecb(key, { disablePadding: true })[direction](data)
}
