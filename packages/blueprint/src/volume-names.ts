/** Where names start that lvm gives by itself, and what the names of volumes inside of others hold. */
const RESERVED =
  /^(?:snapshot|pvmove)|_(?:cdata|cmeta|corig|cpool|cvol|wcorig|mimage|mlog|rimage|rmeta|tdata|tmeta|vdata|vorigin|imeta|iorig|pmspare)/

/** Whether lvm keeps the name of a logical volume for itself (`apply_lvname_restrictions` of LVM2). */
export function isReservedVolumeName(name: string): boolean {
  return RESERVED.test(name) || name === '.' || name === '..'
}
