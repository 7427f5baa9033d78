export type { XfsErrorCode } from './errors.ts'
export type { WriteXfsOptions, XfsSizeOptions } from './options.ts'
export { measureXfs, type XfsMeasure } from './plan.ts'
export { writeXfs, type XfsLayout } from './writer.ts'
