import { type CipherDirection, portableRuntime, type RuntimeOptions } from '@bootable/bytes'

/** XTS-AES under one key; sectors are numbered in units of 512 bytes. */
export interface SectorCipher {
  readonly sectorSize: number
  run(direction: CipherDirection, firstSector: number, data: Uint8Array): Promise<Uint8Array>
}

export function createSectorCipher(
  key: Uint8Array,
  sectorSize: number,
  { runtime = portableRuntime }: RuntimeOptions = {},
): SectorCipher {
  return {
    sectorSize,
    run: (direction, firstSector, data) => runtime.aesXts(key, direction, sectorSize, firstSector, data),
  }
}
