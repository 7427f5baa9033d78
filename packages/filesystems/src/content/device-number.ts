import type { Device } from '@bootable/tree'

/** Greatest numbers that `new_encode_dev` can hold: 12 bits of major, 20 of minor. */
export const MAX_MAJOR = 0xfff
export const MAX_MINOR = 0xf_ffff

type DeviceNumber = Pick<Device, 'major' | 'minor'>

/** A device number in 32 bits (`new_encode_dev` of `include/linux/kdev_t.h`). */
export function encodeDeviceNumber({ major, minor }: DeviceNumber): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0
}

/** The reverse of {@link encodeDeviceNumber}. */
export function decodeDeviceNumber(number: number): DeviceNumber {
  return { major: (number >>> 8) & MAX_MAJOR, minor: (number & 0xff) | ((number >>> 12) & 0xf_ff00) }
}
