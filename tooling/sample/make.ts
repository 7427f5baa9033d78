// `make.ts FILE`: writes the sample image as an oci-archive.
import { writeOciArchive } from '@bootable/oci/node'
import { createSampleImage, SAMPLE_REFERENCE } from './sample-image.ts'

const [path = 'sample.oci.tar'] = process.argv.slice(2)
const source = { store: await createSampleImage(), reference: SAMPLE_REFERENCE }
await writeOciArchive(path, [{ source, name: SAMPLE_REFERENCE }])
console.log(`wrote ${path}`)
