import {
  alignUp,
  type BlockDevice,
  formatSize,
  type OperationOptions,
  type RuntimeOptions,
} from '@bootable/bytes'
import { toBase64 } from './base64.ts'
import { createSectorCipher } from './cipher.ts'
import { luksError } from './errors.ts'
import {
  AREA_ALIGNMENT,
  CIPHER,
  DATA_OFFSET,
  HEADER_SIZE,
  KEY_SIZE,
  KEYSLOTS_OFFSET,
  KEYSLOTS_SIZE,
  Luks2Header,
  STRIPES,
} from './format.ts'
import { encodeHeaders } from './header.ts'
import { createKeys, DIGEST_ITERATIONS } from './keys.ts'
import type { LuksPlan } from './plan.ts'
import { encryptedDevice } from './volume.ts'

/** What {@link createLuksVolume} takes besides the device: a plan and its secrets. */
export interface CreateLuksVolumeOptions extends LuksPlan, OperationOptions, RuntimeOptions {
  readonly passphrase: Uint8Array
  /**
   * The key of the data, 64 bytes. Whoever knows it reads the data without the passphrase.
   * @defaultValue derived from the passphrase and the plan's salts
   */
  readonly volumeKey?: Uint8Array
}

/**
 * Makes a device a LUKS2 volume with one passphrase, as `cryptsetup luksFormat` does, and opens it.
 *
 * The header takes the first {@link LUKS_OVERHEAD} bytes. Nothing is written to the data until its writer
 * does: see `clearRange`.
 *
 * @returns the decrypted view
 * @throws BootableError `LUKS_OPTION_INVALID`, `LUKS_NO_SPACE`
 */
export async function createLuksVolume(
  device: BlockDevice,
  options: CreateLuksVolumeOptions,
): Promise<BlockDevice> {
  const { signal, onProgress, uuid, sectorSize } = options
  signal?.throwIfAborted()
  checkDevice(device.size, sectorSize)
  checkSecrets(options)
  const id = `luks ${uuid}`
  onProgress?.({ type: 'start', id, label: 'derive the key of the encrypted volume', unit: 'items' })
  const keys = await createKeys(options, options)
  onProgress?.({ type: 'end', id })

  const headers = encodeHeaders(options, encodeMetadata(options, keys.digest), options)
  const head = new Uint8Array(KEYSLOTS_OFFSET + alignUp(keys.area.length, AREA_ALIGNMENT))
  head.set(headers)
  head.set(keys.area, KEYSLOTS_OFFSET)
  await device.write(0, head)
  return encryptedDevice(device, {
    cipher: createSectorCipher(keys.volumeKey, sectorSize, options),
    offset: DATA_OFFSET,
    size: device.size - DATA_OFFSET,
    ivTweak: 0,
  })
}

function checkDevice(size: number, sectorSize: number): void {
  if (size < DATA_OFFSET + sectorSize) {
    const message = `an encrypted volume needs more than its header of ${formatSize(DATA_OFFSET)}, the device has ${size} bytes`
    throw luksError('LUKS_NO_SPACE', message, { details: { needed: DATA_OFFSET + sectorSize, size } })
  }
  if (size % sectorSize !== 0) {
    // cryptsetup would not open it.
    const message = `a device of ${size} bytes is not whole sectors of ${sectorSize}`
    throw luksError('LUKS_OPTION_INVALID', message, { details: { size, sectorSize } })
  }
}

function checkSecrets({ passphrase, volumeKey }: CreateLuksVolumeOptions): void {
  if (passphrase.length === 0) {
    throw luksError('LUKS_OPTION_INVALID', 'the passphrase is empty', { details: { option: 'passphrase' } })
  }
  if (volumeKey && volumeKey.length !== KEY_SIZE) {
    const message = `volumeKey: must have ${KEY_SIZE} bytes, and has ${volumeKey.length}`
    throw luksError('LUKS_OPTION_INVALID', message, { details: { option: 'volumeKey' } })
  }
}

/** The JSON area, its members in the order of cryptsetup. */
function encodeMetadata({ salts, pbkdf, sectorSize }: LuksPlan, digest: Uint8Array): string {
  const area = {
    type: 'raw',
    offset: String(KEYSLOTS_OFFSET),
    size: String(alignUp(KEY_SIZE * STRIPES, AREA_ALIGNMENT)),
    encryption: CIPHER,
    key_size: KEY_SIZE,
  }
  const kdf =
    pbkdf.type === 'pbkdf2'
      ? { type: pbkdf.type, hash: pbkdf.hash, iterations: pbkdf.iterations }
      : { type: pbkdf.type, time: pbkdf.time, memory: pbkdf.memory, cpus: pbkdf.cpus }
  const keyslot = {
    type: 'luks2',
    key_size: KEY_SIZE,
    af: { type: 'luks1', stripes: STRIPES, hash: 'sha256' },
    area,
    kdf: { ...kdf, salt: salts.keyslot },
  }
  const segment = {
    type: 'crypt',
    offset: String(DATA_OFFSET),
    size: 'dynamic',
    iv_tweak: '0',
    encryption: CIPHER,
    sector_size: sectorSize,
  }
  const binding = {
    type: 'pbkdf2',
    keyslots: ['0'],
    segments: ['0'],
    hash: 'sha256',
    iterations: DIGEST_ITERATIONS,
    salt: salts.digest,
    digest: toBase64(digest),
  }
  return JSON.stringify({
    keyslots: { 0: keyslot },
    tokens: {},
    segments: { 0: segment },
    digests: { 0: binding },
    config: { json_size: String(HEADER_SIZE - Luks2Header.size), keyslots_size: String(KEYSLOTS_SIZE) },
  })
}
