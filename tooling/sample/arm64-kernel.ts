import { ascii, struct, u32, u64 } from '@bootable/bytes'
import {
  type Arm64Assembler,
  createArm64Assembler,
  sp,
  x0,
  x1,
  x2,
  x3,
  x4,
  x9,
  x10,
  x19,
  x20,
  x21,
  x22,
  x23,
  x24,
  x30,
} from './arm64-assembler.ts'
import { EFI, EFI_ALLOCATE_ANY_PAGES, EFI_BUFFER_TOO_SMALL, EFI_LOADER_DATA, writeEfiData } from './efi.ts'
import { writeEfiHeaders } from './portable-executable.ts'
import { FNV_OFFSET_BASIS, FNV_PRIME, REPORT } from './tiny-kernel.ts'

/** `struct arm64_image_header` (Documentation/arch/arm64/booting.rst). */
const ImageHeader = struct('arm64 image header', 0x40, {
  code0: u32(0x00),
  code1: u32(0x04),
  imageSize: u64(0x10),
  flags: u64(0x18),
  magic: ascii(0x38, 4),
})

const CODE_OFFSET = 0x400

/** A PL011 where QEMU's machine `virt` has it: its data and its flag register, whose bit 5 says "full". */
const UART = 0x0900_0000
const [UART_FLAGS, UART_FULL] = [0x18, 5]

/** `SYSTEM_OFF` of PSCI (Arm DEN0022, 5.1.9). */
const PSCI_SYSTEM_OFF = 0x8400_0008

/** Local variables: offsets from the stack pointer. */
const LOCAL = { protocol: 0, path: 8, handle: 16, size: 24, pages: 32 } as const
const FRAME = 48

/**
 * The tiny kernel for AArch64: a Linux `Image` that is an EFI application. Firmware or a boot loader starts it;
 * it says the same line as the one for x86-64, on the serial port of QEMU's machine `virt`, and switches the
 * machine off.
 */
export function buildArm64Kernel(): Uint8Array {
  const code = createArm64Assembler()
  code.padTo(CODE_OFFSET)
  writeEntry(code)
  writeReport(code)
  writeRoutines(code)
  for (const [label, text] of Object.entries({ ...REPORT, path: 'efistub' })) {
    code.label(`text.${label}`)
    code.text(text)
  }
  writeEfiData(code, ['loadedImageProtocol', 'loadFile2Protocol'])
  code.align(0x200)

  const file = code.finish()
  writeEfiHeaders(file, CODE_OFFSET, CODE_OFFSET, 'aarch64')
  ImageHeader.write(file, 0, {
    code0: 0x9100_5a4d, // add x13, x18, #0x16: harmless, and begins with "MZ"
    code1: 0x1400_0000 | (CODE_OFFSET / 4 - 1), // a branch: nobody starts us without EFI
    imageSize: file.length,
    flags: 0x0a, // little-endian, pages of 4 KiB, anywhere in memory
    magic: 'ARM\x64',
  })
  return file
}

/**
 * From `x0` (image) and `x1` (system table) to `x20` and `x21`, command line and its end, and `x22` and `x23`,
 * initrd and its size. `x19` is the table of boot services.
 */
function writeEntry(code: Arm64Assembler): void {
  code.subtract(sp, sp, FRAME)
  code.load(x19, x1, EFI.systemTable.bootServices)

  code.address(x1, 'loadedImageProtocol')
  code.add(x2, sp, LOCAL.protocol)
  callService(code, EFI.bootServices.handleProtocol)
  code.load(x9, sp, LOCAL.protocol)
  code.load(x20, x9, EFI.loadedImage.loadOptions)
  code.load(x21, x9, EFI.loadedImage.loadOptionsSize, 32)
  code.addRegister(x21, x20, x21)

  // The initrd of Linux: a protocol at a device path that the loader has installed.
  code.set(x22, 0)
  code.set(x23, 0)
  code.address(x9, 'initrdPath')
  code.store(x9, sp, LOCAL.path)
  code.address(x0, 'loadFile2Protocol')
  code.add(x1, sp, LOCAL.path)
  code.add(x2, sp, LOCAL.handle)
  callService(code, EFI.bootServices.locateDevicePath)
  code.compare(x0, 0)
  code.jumpIf('notEqual', 'report')
  code.load(x0, sp, LOCAL.handle)
  code.address(x1, 'loadFile2Protocol')
  code.add(x2, sp, LOCAL.protocol)
  callService(code, EFI.bootServices.handleProtocol)

  code.store(x23, sp, LOCAL.size)
  loadInitrd(code)
  code.set(x9, EFI_BUFFER_TOO_SMALL)
  code.compareRegisters(x0, x9)
  code.jumpIf('notEqual', 'report')
  code.set(x0, EFI_ALLOCATE_ANY_PAGES)
  code.set(x1, EFI_LOADER_DATA)
  code.load(x9, sp, LOCAL.size)
  code.add(x9, x9, 0xfff)
  code.shiftRight(x2, x9, 12)
  code.add(x3, sp, LOCAL.pages)
  callService(code, EFI.bootServices.allocatePages)
  code.load(x22, sp, LOCAL.pages)
  loadInitrd(code)
  code.load(x23, sp, LOCAL.size)
}

/** Has the initrd written to `x22`, or its size told. */
function loadInitrd(code: Arm64Assembler): void {
  code.load(x0, sp, LOCAL.protocol)
  code.load(x1, sp, LOCAL.path) // what LocateDevicePath has left of it: GRUB insists
  code.set(x2, 0) // not for the boot policy
  code.add(x3, sp, LOCAL.size)
  code.move(x4, x22)
  code.load(x9, x0, EFI.loadFile2.loadFile)
  code.callRegister(x9)
}

/** Calls a boot service; its arguments are in place. */
function callService(code: Arm64Assembler, member: number): void {
  code.load(x9, x19, member)
  code.callRegister(x9)
}

function writeReport(code: Arm64Assembler): void {
  const put = (label: string): void => {
    code.address(x0, `text.${label}`)
    code.call('putText')
  }
  code.label('report')
  put('start')
  put('path')
  put('cmdline')

  code.label('options')
  code.compareRegisters(x20, x21)
  code.jumpIf('aboveOrEqual', 'options.end')
  code.load(x1, x20, 0, 16)
  code.add(x20, x20, 2)
  code.jumpIfZero(x1, 'options.end')
  code.compare(x1, 0x7f)
  code.jumpIf('belowOrEqual', 'options.plain')
  code.set(x1, '?'.charCodeAt(0))
  code.label('options.plain')
  code.call('putCharacter')
  code.jump('options')
  code.label('options.end')

  put('initrd')
  code.move(x0, x23)
  code.call('putHex')
  put('fnv')
  const [hash, prime, byte] = [x0, x9, x10] as const
  code.set(hash, FNV_OFFSET_BASIS)
  code.set(prime, FNV_PRIME)
  code.label('hash')
  code.jumpIfZero(x23, 'hash.end')
  code.load(byte, x22, 0, 8)
  code.exclusiveOr(hash, hash, byte)
  code.multiply(hash, hash, prime)
  code.add(x22, x22, 1)
  code.subtract(x23, x23, 1)
  code.jump('hash')
  code.label('hash.end')
  code.call('putHex')
  put('end')

  code.set(x0, PSCI_SYSTEM_OFF)
  code.word(0xd400_0002) // hvc #0
  code.label('halt')
  code.word(0xd503_207f) // wfi
  code.jump('halt')
}

/**
 * - `putCharacter`: x1; uses x9 and x10
 * - `putText`: x0, address of characters up to a zero
 * - `putHex`: x0, a number of 32 bits, as eight digits
 *
 * The latter two use x24 for their way back.
 */
function writeRoutines(code: Arm64Assembler): void {
  code.label('putCharacter')
  code.set(x9, UART)
  code.label('putCharacter.wait')
  code.load(x10, x9, UART_FLAGS, 32)
  code.jumpIfBit(x10, UART_FULL, 'putCharacter.wait')
  code.store(x1, x9, 0, 32)
  code.return()

  code.label('putText')
  code.move(x24, x30)
  code.label('putText.next')
  code.load(x1, x0, 0, 8)
  code.add(x0, x0, 1)
  code.jumpIfZero(x1, 'putText.end')
  code.call('putCharacter')
  code.jump('putText.next')
  code.label('putText.end')
  code.move(x30, x24)
  code.return()

  code.label('putHex')
  code.move(x24, x30)
  code.set(x2, 8)
  code.label('putHex.digit')
  code.shiftRight(x1, x0, 28)
  code.compare(x1, 10)
  code.jumpIf('below', 'putHex.decimal')
  code.add(x1, x1, 'a'.charCodeAt(0) - '0'.charCodeAt(0) - 10)
  code.label('putHex.decimal')
  code.add(x1, x1, '0'.charCodeAt(0))
  code.call('putCharacter')
  code.shiftLeft(x0, x0, 4)
  code.subtract(x2, x2, 1)
  code.compare(x2, 0)
  code.jumpIf('notEqual', 'putHex.digit')
  code.move(x30, x24)
  code.return()
}
