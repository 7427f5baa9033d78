import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { findTool, requireTool } from './oracles.ts'

/** A processor whose machines QEMU plays here. */
export type Processor = 'x86_64' | 'aarch64'

/** Options of {@link bootDisk}. */
export interface BootDiskOptions {
  /** Path of the disk image. It is not changed unless `persist` is set. */
  readonly disk: string
  /** @defaultValue `raw` */
  readonly format?: 'raw' | 'qcow2' | 'vmdk' | 'vpc' | 'vhdx' | 'vdi'
  readonly firmware: 'uefi' | 'bios'
  /** UEFI with Secure Boot and the keys that machines are sold with: Microsoft's. @defaultValue false */
  readonly secureBoot?: boolean
  /** aarch64 machines start by UEFI, and have neither `ide` nor `debugExit`. @defaultValue `x86_64` */
  readonly architecture?: Processor
  /** MiB. @defaultValue 512 */
  readonly memory?: number
  /** @defaultValue 1 */
  readonly processors?: number
  /** How the disk is attached. @defaultValue `virtio` */
  readonly bus?: 'virtio' | 'nvme' | 'scsi' | 'ide'
  /** Bytes of the disk's sectors; BIOS boots only from 512. @defaultValue 512 */
  readonly sectorSize?: 512 | 4096
  /** Ports of the loopback address here that lead to TCP ports of the guest: `{ 2222: 22 }`. */
  readonly forward?: Readonly<Record<number, number>>
  /** Whether the guest may open connections of its own; this machine is 10.0.2.2. @defaultValue false */
  readonly outbound?: boolean
  /** Lets the guest write to the image; otherwise its writes go to an overlay that is thrown away. */
  readonly persist?: boolean
  /** Adds `isa-debug-exit` at port 0xF4: writing n there ends QEMU with status 2n + 1. @defaultValue true */
  readonly debugExit?: boolean
  /** Restarts the guest when it asks for it, instead of ending QEMU. @defaultValue false */
  readonly reboot?: boolean
  /** Milliseconds after which QEMU is killed, whatever it does. @defaultValue 300 000 */
  readonly timeoutMs?: number
  /** More arguments for QEMU. */
  readonly args?: readonly string[]
}

/** A running guest. */
export interface Machine {
  /** Everything the serial port has said, without escape sequences and carriage returns. */
  readonly console: string
  /** The bytes of the serial port from the start on, as they come; ends with QEMU. */
  readonly serial: AsyncIterable<Uint8Array>
  /** QEMU's exit status; −1 when it was killed. */
  readonly exitStatus: Promise<number>
  /**
   * Waits until the console shows the pattern after what the last call matched.
   *
   * @param timeoutMs @defaultValue what is left of the machine's own
   * @throws Error with the end of the console when time is up, QEMU ends, or a known failure shows up
   */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>
  /** Types on the serial port. */
  send(text: string): void
  /** Ends QEMU and removes its files. Any number of times. */
  close(): Promise<void>
}

/** Sights after which nothing good comes. */
const FAILURES = [
  /Kernel panic - not syncing/,
  /You are in emergency mode/,
  /Cannot open access to console, the root account is locked/,
  /grub rescue>/,
  /error: (?:no such (?:device|partition)|.*file .* not found)/,
  /No bootable device/,
  /BdsDxe: No bootable option/,
  /Boot failed: not a bootable disk/,
]

/** Firmware code and the template of its variables, where distributions install them. */
const FIRMWARE: Readonly<Record<Processor, readonly (readonly [code: string, variables: string])[]>> = {
  x86_64: [
    ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
    ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
    ['/usr/share/edk2/ovmf/OVMF_CODE.fd', '/usr/share/edk2/ovmf/OVMF_VARS.fd'],
    ['/usr/share/edk2/x64/OVMF_CODE.4m.fd', '/usr/share/edk2/x64/OVMF_VARS.4m.fd'],
    ['/usr/share/qemu/edk2-x86_64-code.fd', '/usr/share/qemu/edk2-i386-vars.fd'],
  ],
  aarch64: [
    ['/usr/share/AAVMF/AAVMF_CODE.fd', '/usr/share/AAVMF/AAVMF_VARS.fd'],
    ['/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw', '/usr/share/edk2/aarch64/vars-template-pflash.raw'],
    ['/usr/share/qemu/edk2-aarch64-code.fd', '/usr/share/qemu/edk2-arm-vars.fd'],
  ],
}

/** Firmware that enforces Secure Boot, and variables with Microsoft's keys. */
const SECURE_FIRMWARE = [
  '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd',
  '/usr/share/OVMF/OVMF_VARS_4M.ms.fd',
] as const

/** Whether a guest with Secure Boot can be run here; as `requireTool`, an error where `CI` is set. */
export function requireSecureBoot(): boolean {
  if (!requireMachine('uefi')) return false
  const missing = SECURE_FIRMWARE.filter((path) => !existsSync(path))
  if (missing.length === 0) return true
  const message = `no firmware with Secure Boot: ${missing.join(', ')}`
  if (process.env.CI) throw new Error(message)
  console.warn(`tests skipped: ${message}`)
  return false
}

function findFirmware(processor: Processor): readonly [code: string, variables: string] | undefined {
  return FIRMWARE[processor].find(([code, variables]) => existsSync(code) && existsSync(variables))
}

/** Whether a guest with that firmware can be run here; as `requireTool`, an error where `CI` is set. */
export function requireMachine(firmware: 'uefi' | 'bios', processor: Processor = 'x86_64'): boolean {
  if (!requireTool(`qemu-system-${processor}`)) return false
  if (firmware === 'bios' || findFirmware(processor)) return true
  const message = `no UEFI firmware in ${FIRMWARE[processor].map(([code]) => code).join(', ')}`
  if (process.env.CI) throw new Error(message)
  console.warn(`tests skipped: ${message}`)
  return false
}

/** Starts a guest from a disk, in software (TCG): no KVM, no privileges. `close` must be called. */
export function bootDisk(options: BootDiskOptions): Machine {
  const folder = mkdtempSync(join(tmpdir(), 'bootable-machine-'))
  const args = qemuArguments(options, folder)
  // The kernel ends QEMU should this process be killed before it can.
  const guard = findTool('setpriv') ? ['setpriv', '--pdeathsig', 'KILL'] : []
  const qemu = `qemu-system-${options.architecture ?? 'x86_64'}`
  const [command, ...rest] = [...guard, findTool(qemu) ?? qemu, ...args]
  const child = spawn(command as string, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: folder },
  })
  return watch(child, folder, options.timeoutMs ?? 300_000)
}

function qemuArguments(options: BootDiskOptions, folder: string): string[] {
  const { format = 'raw', memory = 512, processors = 1, bus = 'virtio', sectorSize = 512 } = options
  const { secureBoot = false } = options
  const processor = options.architecture ?? 'x86_64'
  const args = ['-nodefaults', '-no-user-config', '-display', 'none', '-monitor', 'none', '-serial', 'stdio']
  args.push(
    '-accel',
    // Without a bound, translated code takes as much memory again as the guest has.
    `tcg,thread=${processors > 1 ? 'multi' : 'single'},tb-size=256`,
    '-smp',
    `${processors}`,
    '-m',
    `${memory}`,
  )
  const isArm = processor === 'aarch64'
  if (isArm) args.push('-machine', 'virt', '-cpu', 'cortex-a72')
  else args.push('-machine', `${bus === 'ide' ? 'pc' : 'q35'},graphics=off${secureBoot ? ',smm=on' : ''}`)
  if (secureBoot) args.push('-global', 'driver=cfi.pflash01,property=secure,value=on')
  args.push('-device', 'virtio-rng-pci')
  if (!options.reboot) args.push('-no-reboot')
  if (!isArm && (options.debugExit ?? true)) args.push('-device', 'isa-debug-exit,iobase=0xf4,iosize=4')

  if (options.firmware === 'uefi') {
    const found = secureBoot ? SECURE_FIRMWARE : findFirmware(processor)
    const [code, template] = found ?? ['firmware', 'variables']
    const variables = join(folder, 'variables.fd')
    copyFileSync(template, variables)
    args.push('-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${escapeComma(code)}`)
    args.push('-drive', `if=pflash,format=raw,unit=1,file=${escapeComma(variables)}`)
  }

  const snapshot = options.persist ? 'off' : 'on'
  const drive = `if=none,id=disk,format=${format},cache=unsafe,discard=unmap,snapshot=${snapshot}`
  const sectors = `logical_block_size=${sectorSize},physical_block_size=${sectorSize}`
  const devices = { virtio: 'virtio-blk-pci', nvme: 'nvme,serial=disk', scsi: 'scsi-hd', ide: 'ide-hd' }
  args.push('-drive', `${drive},file=${escapeComma(options.disk)}`)
  if (bus === 'scsi') args.push('-device', 'virtio-scsi-pci')
  args.push('-device', `${devices[bus]},drive=disk,bootindex=0,${sectors}`)

  if (options.forward || options.outbound) {
    const ports = Object.entries(options.forward ?? {})
    const forwards = ports.map(([host, guest]) => `,hostfwd=tcp:127.0.0.1:${host}-:${guest}`).join('')
    args.push('-netdev', `user,id=net,restrict=${options.outbound ? 'off' : 'on'}${forwards}`)
    args.push('-device', 'virtio-net-pci,netdev=net,romfile=')
  }
  return [...args, ...(options.args ?? [])]
}

/** QEMU's option syntax: a comma within a value is doubled. */
function escapeComma(path: string): string {
  return path.replaceAll(',', ',,')
}

/** ECMA-48: sequences that steer a terminal, and strings to its operating system, which end in BEL or ST. */
const ESCAPES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences of terminals
  /\u001b(?:\[[0-9;?=!]*[A-Za-z]|[\]P][^\u0007\u001b]*(?:\u0007|\u001b\\)|[=>()][A-Z0-9]?|[A-OQ-Z])|[\r\0]/g
/** The beginning of one at the end of what has come so far. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences of terminals
const UNFINISHED = /\u001b(?:\[[0-9;?=!]{0,16}|[\]P][^\u0007\u001b]{0,4096}\u001b?|[=>()]?)$/

function watch(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  folder: string,
  timeoutMs: number,
): Machine {
  const chunks: Uint8Array[] = []
  const decoder = new TextDecoder()
  let raw = ''
  let text = ''
  let errors = ''
  let position = 0
  let ended: number | undefined
  let changed: () => void = () => {}
  let change = new Promise<void>((resolve) => {
    changed = resolve
  })
  const notify = (): void => {
    changed()
    change = new Promise((resolve) => {
      changed = resolve
    })
  }

  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    raw += decoder.decode(chunk, { stream: true })
    // An escape sequence may be cut in two: its beginning waits for the rest.
    const whole = UNFINISHED.exec(raw)?.index ?? raw.length
    text += raw.slice(0, whole).replace(ESCAPES, '')
    raw = raw.slice(whole)
    notify()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk
  })
  child.stdin.on('error', () => {})
  const kill = (): void => void child.kill('SIGKILL')
  process.on('exit', kill)
  const deadline = Date.now() + timeoutMs
  const timer = setTimeout(kill, timeoutMs)
  const exitStatus = new Promise<number>((resolve) => {
    child.on('error', (error) => {
      errors += error.message
      resolve(-1)
    })
    child.on('close', (status) => resolve(status ?? -1))
  }).then((status) => {
    clearTimeout(timer)
    process.off('exit', kill)
    rmSync(folder, { recursive: true, force: true })
    ended = status
    notify()
    return status
  })

  const failure = (pattern: RegExp, why: string): Error =>
    new Error(`waiting for ${pattern}: ${why}; the console ends in\n${text.slice(-3000)}\n${errors}`)

  return {
    get console() {
      return text
    },
    serial: {
      async *[Symbol.asyncIterator]() {
        for (let index = 0; ; index++) {
          while (index >= chunks.length) {
            if (ended !== undefined) return
            await change
          }
          yield chunks[index] as Uint8Array
        }
      },
    },
    exitStatus,
    async waitFor(pattern, limit = deadline - Date.now()) {
      const end = Math.min(Date.now() + limit, deadline)
      const search = new RegExp(pattern.source, `${pattern.flags.replace(/[gy]/g, '')}g`)
      for (;;) {
        search.lastIndex = position
        const match = search.exec(text)
        if (match) {
          position = search.lastIndex
          return match
        }
        const broken = FAILURES.find((sight) => sight.test(text.slice(position)))
        if (broken) throw failure(pattern, `found ${broken}`)
        if (ended !== undefined) throw failure(pattern, `QEMU ended with status ${ended}`)
        if (Date.now() >= end) throw failure(pattern, 'time is up')
        let wake: NodeJS.Timeout | undefined
        const pause = new Promise<void>((resolve) => {
          wake = setTimeout(resolve, end - Date.now())
        })
        await Promise.race([change, pause])
        clearTimeout(wake)
      }
    },
    send(input) {
      child.stdin.write(input)
    },
    async close() {
      kill()
      await exitStatus
    },
  }
}
