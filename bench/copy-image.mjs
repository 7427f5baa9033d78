// Copies an image from one address to another:
//   copy-image.mjs FROM TO
import { copyImageFiles } from '@bootable/core/node'

const [from, to] = process.argv.slice(2)
await copyImageFiles(from, to, { registry: { insecure: true } })
