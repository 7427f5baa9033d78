/** How the command ends: the number that a shell sees. */
export const EXIT = {
  success: 0,
  failure: 1,
  usage: 2,
  /** `check-update` found one; the number is that of `dnf check-update`. */
  updateAvailable: 100,
  interrupted: 130,
  terminated: 143,
} as const
