import { BootableError } from '@bootable/bytes'

/** A machine architecture as `uname -m` prints it. */
export type Architecture = 'x86_64' | 'aarch64' | 'ppc64le' | 's390x' | 'riscv64'

const BY_OCI_NAME: Readonly<Record<string, Architecture>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  ppc64le: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
}

/**
 * The machine architecture of an image, from the name that its configuration gives (`amd64`), which is
 * Go's; the machine's own name (`x86_64`) is taken as well.
 * @throws BootableError `ARCHITECTURE_UNSUPPORTED`
 */
export function parseArchitecture(name: string): Architecture {
  const known = Object.values(BY_OCI_NAME).find((architecture) => architecture === name)
  const architecture = known ?? (Object.hasOwn(BY_OCI_NAME, name) ? BY_OCI_NAME[name] : undefined)
  if (architecture !== undefined) return architecture
  throw new BootableError('ARCHITECTURE_UNSUPPORTED', `no machine is known for the architecture "${name}"`, {
    details: { architecture: name },
    hint: `known architectures: ${Object.keys(BY_OCI_NAME).join(', ')}`,
  })
}
