// Installs and builds: everything that a clean clone needs before `./node_modules/.bin/bootable` runs.
import { build, install } from './workspace.mjs'

install()
await build()
