// Loaded before a measured program: writes what it used when it ends.
import { writeFileSync } from 'node:fs'

process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  const usage = { cpu: (userCPUTime + systemCPUTime) / 1e6, peak: maxRSS * 1024 }
  writeFileSync(process.env.USAGE, JSON.stringify(usage))
})
