import { fromHex, guidToBytes } from '@bootable/bytes'
import {
  type Assembler,
  at,
  here,
  type Memory,
  type Register,
  r8,
  r9,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
} from './assembler.ts'
import type { Program } from './program.ts'

/** Where members lie in the structures of the UEFI specification (2.10), in bytes. */
export const EFI = {
  /** EFI_SYSTEM_TABLE, 4.3 */
  systemTable: { bootServices: 0x60 },
  /** EFI_BOOT_SERVICES, 4.4 */
  bootServices: {
    allocatePages: 0x28,
    handleProtocol: 0x98,
    locateDevicePath: 0xb8,
    loadImage: 0xc8,
    startImage: 0xd0,
    installMultipleProtocolInterfaces: 0x148,
  },
  /** EFI_LOADED_IMAGE_PROTOCOL, 9.1 */
  loadedImage: { deviceHandle: 0x18, loadOptionsSize: 0x30, loadOptions: 0x38 },
  /** EFI_LOAD_FILE2_PROTOCOL, 13.2 */
  loadFile2: { loadFile: 0x00 },
  /** EFI_SIMPLE_FILE_SYSTEM_PROTOCOL, 13.4 */
  fileSystem: { openVolume: 0x08 },
  /** EFI_FILE_PROTOCOL, 13.5 */
  file: { open: 0x08, read: 0x20, getInfo: 0x40 },
  /** EFI_FILE_INFO, 13.5 */
  fileInfo: { fileSize: 0x08, fileName: 0x50 },
} as const

/** Statuses (appendix D). */
export const EFI_BUFFER_TOO_SMALL = 0x8000_0000_0000_0005n
export const EFI_NOT_FOUND = 0x8000_0000_0000_000en

/** EFI_MEMORY_TYPE and EFI_ALLOCATE_TYPE (7.2). */
export const EFI_ALLOCATE_ANY_PAGES = 0
export const EFI_LOADER_DATA = 2
/** Mode of opening a file (13.5). */
export const EFI_FILE_MODE_READ = 1

/** Protocols and the like, by the label that {@link writeEfiData} gives them. */
const GUIDS = {
  loadedImageProtocol: '5b1b31a1-9562-11d2-8e3f-00a0c969723b',
  devicePathProtocol: '09576e91-6d3f-11d2-8e39-00a0c969723b',
  loadFile2Protocol: '4006c0c1-fcb3-403e-996d-4a6c8724e06d',
  simpleFileSystemProtocol: '964e5b22-6459-11d2-8e39-00a0c969723b',
  fileInfoId: '09576e92-6d3f-11d2-8e39-00a0c969723b',
} as const

/** LINUX_EFI_INITRD_MEDIA_GUID: the vendor media path at which Linux looks for its initrd. */
const INITRD_MEDIA = '5568e427-68fc-4f3d-ac74-ca555231cc68'

/** The constants that EFI calls point to: GUIDs, and the device path `initrdPath`. */
export function writeEfiData(code: Program, names: readonly (keyof typeof GUIDS)[]): void {
  code.align(8)
  for (const name of names) {
    code.label(name)
    code.bytes(...guidToBytes(GUIDS[name]))
  }
  code.label('initrdPath')
  code.bytes(4, 3, 20, 0, ...guidToBytes(INITRD_MEDIA)) // media, vendor-defined (10.3.5.3)
  code.bytes(...fromHex('7fff0400')) // end of the entire path (10.3.1)
}

/** A local variable: memory below `rbp`. */
export type Local = Memory & { readonly offset: number }

/** Local variables by name. */
export type Frame<Name extends string> = { readonly [N in Name]: Local }

/** Registers that a function hands back as it got them (2.3.4.2) and that our code uses. */
const KEPT = [rbx, rsi, rdi]

/** Room at the bottom of a frame: 32 bytes of shadow space and up to six arguments on the stack. */
const CALL_AREA = 0x50

/**
 * Starts a function that has local variables and makes calls. `rsp` is aligned to 16 bytes, as the
 * calling convention asks at every call (2.3.4.2).
 *
 * @param sizes bytes of each variable
 */
export function enterFrame<Name extends string>(
  code: Assembler,
  sizes: Readonly<Record<Name, number>>,
): Frame<Name> {
  const frame: Partial<Record<Name, Local>> = {}
  let offset = KEPT.length * 8
  for (const name of Object.keys(sizes) as Name[]) {
    offset += Math.ceil(sizes[name] / 8) * 8
    frame[name] = { base: rbp, offset: -offset }
  }
  code.push(rbp)
  code.move(rbp, rsp)
  code.calculate('sub', rsp, { constant: Math.ceil((offset + CALL_AREA) / 16) * 16 })
  for (const [index, register] of KEPT.entries()) code.store(at(rbp, -8 * (index + 1)), register)
  return frame as Frame<Name>
}

/** Ends such a function; `rax` holds its result. */
export function leaveFrame(code: Assembler): void {
  for (const [index, register] of KEPT.entries()) code.load(register, at(rbp, -8 * (index + 1)))
  code.move(rsp, rbp)
  code.pop(rbp)
  code.return()
}

/** A member of a structure that is a local variable. */
export function memberOf(local: Local, offset: number): Memory {
  return at(rbp, local.offset + offset)
}

/** An argument of a call: a constant, the content of memory, or an address. */
export type Argument = number | Memory | { readonly addressOf: Memory | string }

/** The address of a local variable or of a label, as an argument. */
export const pointer = (to: Memory | string): Argument => ({ addressOf: to })

/**
 * Calls a member of a table or protocol that `table` points to; the status is in `rax` afterwards.
 * Arguments go to rcx, rdx, r8, r9 and then to the stack, above the shadow space (2.3.4.2).
 */
export function callMember(
  code: Assembler,
  table: Memory,
  member: number,
  ...args: readonly Argument[]
): void {
  const registers = [rcx, rdx, r8, r9]
  for (const [index, argument] of args.entries()) {
    if (index < registers.length) continue
    loadArgument(code, rax, argument)
    code.store(at(rsp, index * 8), rax)
  }
  for (const [index, register] of registers.entries()) {
    if (args[index] !== undefined) loadArgument(code, register, args[index])
  }
  code.load(rax, table)
  code.call(at(rax, member))
}

/** The same, going to `failed` unless the status is EFI_SUCCESS. */
export function callOrFail(
  code: Assembler,
  failed: string,
  table: Memory,
  member: number,
  ...args: readonly Argument[]
): void {
  callMember(code, table, member, ...args)
  code.calculate('cmp', rax, { constant: 0 })
  code.jumpIf('notEqual', failed)
}

function loadArgument(code: Assembler, register: Register, argument: Argument): void {
  if (typeof argument === 'number') code.set(register, argument)
  else if ('addressOf' in argument) {
    const { addressOf } = argument
    code.address(register, typeof addressOf === 'string' ? here(addressOf) : addressOf)
  } else code.load(register, argument)
}
