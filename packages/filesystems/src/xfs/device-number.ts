/** Greatest numbers that an inode holds and `xfs_vn_mknod` takes: 9 bits of major, 18 of minor. */
export const MAX_MAJOR = 0x1ff
export const MAX_MINOR = 0x3_ffff

interface DeviceNumber {
  readonly major: number
  readonly minor: number
}

/** A device number as System V had it (`sysv_encode_dev` of `include/linux/kdev_t.h`). */
export function encodeDeviceNumber({ major, minor }: DeviceNumber): number {
  return major * 2 ** 18 + minor
}

/** `xfs_to_linux_dev_t`. */
export function decodeDeviceNumber(number: number): DeviceNumber {
  return { major: (number >>> 18) & MAX_MAJOR, minor: number & MAX_MINOR }
}
