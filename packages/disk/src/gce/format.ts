/** The name that Compute Engine asks for. */
export const MEMBER = 'disk.raw'
