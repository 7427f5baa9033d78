import { freePort } from './free-port.ts'
import { type RunResult, run } from './oracles.ts'
import { type BootDiskOptions, bootDisk, type Machine } from './qemu.ts'

/** Options of {@link startGuest}: those of `bootDisk`, and how the guest lets us in. */
export interface GuestOptions extends Omit<BootDiskOptions, 'firmware' | 'forward' | 'reboot'> {
  /** @defaultValue `uefi` */
  readonly firmware?: BootDiskOptions['firmware']
  /** Private key of whoever {@link Guest.run} logs in as. */
  readonly identity: string
}

/** A Linux guest with an OpenSSH server, and perhaps a web page on port 3000. */
export interface Guest {
  readonly machine: Machine
  /** Waits for the login prompt, logs in at the console and runs a command; what the console shows of it. */
  logIn(user: string, password: string, command: string): Promise<string>
  /** Runs a command by ssh. Any exit status is a result; 255 may be ssh's own. */
  run(user: string, command: string): Promise<RunResult>
  /** Like `run` as root, but a status other than 0 is an error; what was said on standard output. */
  ask(command: string): Promise<string>
  /** Like `ask` for several commands in one connection, of which each takes seconds in software. */
  askEach<Name extends string>(commands: Readonly<Record<Name, string>>): Promise<Record<Name, string>>
  /** The page at port 3000. */
  page(): Promise<string>
  /** Has the guest restart, and waits for its next login prompt. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** Milliseconds for everything that a test does with one guest: enough on a machine that is busy besides. */
export const GUEST_MS = 1_800_000

/** Between the answers of {@link Guest.askEach}. */
const SEPARATOR = '--next--'

/** How long a guest in software may take for one command, and for its way from power to a login prompt. */
const [COMMAND_MS, BOOT_MS] = [600_000, 900_000]

/** Boots a disk. `close` must be called. */
export async function startGuest({ identity, ...options }: GuestOptions): Promise<Guest> {
  const ports = { ssh: await freePort(), web: await freePort() }
  const machine = bootDisk({
    memory: 1024,
    timeoutMs: GUEST_MS,
    firmware: 'uefi',
    ...options,
    reboot: true,
    forward: { [ports.ssh]: 22, [ports.web]: 3000 },
  })
  const ssh = ['-i', identity, '-p', String(ports.ssh), '-o', 'StrictHostKeyChecking=no']
  ssh.push('-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', '-o', 'BatchMode=yes')
  ssh.push('-o', 'ConnectTimeout=60')

  const guest: Guest = {
    machine,
    async logIn(user, password, command) {
      await machine.waitFor(/login: /, BOOT_MS)
      machine.send(`${user}\n`)
      await machine.waitFor(/Password: /, COMMAND_MS)
      machine.send(`${password}\n`)
      await machine.waitFor(/\n\S*[$#] /, COMMAND_MS)
      // The marks are typed in two pieces, so that the echo of the command does not look like its output.
      machine.send(`echo "<""<$(${command})>"">"\n`)
      return (await machine.waitFor(/<<(.*?)>>/s, COMMAND_MS))[1] as string
    },
    run(user, command) {
      return run('ssh', [...ssh, `${user}@127.0.0.1`, command], { timeout: COMMAND_MS })
    },
    async ask(command) {
      const { status, stdout, stderr } = await guest.run('root', command)
      if (status === 0) return stdout.trimEnd()
      throw new Error(`${command} ended with status ${status} in the guest:\n${stdout}${stderr}`)
    },
    async askEach(commands) {
      const names = Object.keys(commands) as (keyof typeof commands)[]
      const script = names.map((name) => `{ ${commands[name]}\n} || exit; echo '${SEPARATOR}'`)
      const answers = (await guest.ask(script.join('\n'))).split(SEPARATOR)
      const entries = names.map((name, index) => [name, answers[index]?.replace(/^\n/, '').trimEnd()])
      return Object.fromEntries(entries) as Record<keyof typeof commands, string>
    },
    async page() {
      const response = await fetch(`http://127.0.0.1:${ports.web}/`)
      if (!response.ok) throw new Error(`port 3000 answered ${response.status}`)
      return response.text()
    },
    async restart() {
      // The connection may break before the command has ended.
      await guest.run('root', 'systemctl reboot')
      await machine.waitFor(/Linux version \d/, BOOT_MS)
      await machine.waitFor(/login: /, BOOT_MS)
      await untilReachable(guest)
    },
    close: () => machine.close(),
  }
  return guest
}

/** The prompt may stand there before the server listens; QEMU takes the connection all the same. */
async function untilReachable(guest: Guest): Promise<void> {
  const end = Date.now() + COMMAND_MS
  while ((await guest.run('root', 'true')).status !== 0) {
    if (Date.now() > end) throw new Error(`the guest does not answer:\n${guest.machine.console.slice(-2000)}`)
    await new Promise((resolve) => setTimeout(resolve, 2000))
  }
}
