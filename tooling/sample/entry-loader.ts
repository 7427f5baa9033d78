import {
  type Assembler,
  at,
  createAssembler,
  here,
  type Memory,
  r8,
  r9,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
} from './assembler.ts'
import {
  callOrFail,
  EFI,
  EFI_ALLOCATE_ANY_PAGES,
  EFI_BUFFER_TOO_SMALL,
  EFI_FILE_MODE_READ,
  EFI_LOADER_DATA,
  EFI_NOT_FOUND,
  enterFrame,
  type Local,
  leaveFrame,
  memberOf,
  pointer,
  writeEfiData,
} from './efi.ts'
import { writeEfiHeaders } from './portable-executable.ts'
import { writeSerialRoutines } from './serial.ts'

const CODE_OFFSET = 0x200

/** Bytes of the local variables that hold text. Values are kept in UTF-16. */
const SIZES = { fileInfo: 1024, entry: 4096, linux: 1024, initrd: 1024, options: 8192 } as const

/** A LoadFile2 protocol of our own: the member that callers know, and what it serves. */
const INITRD_PROTOCOL = { loadFile: 0, address: 8, length: 16, size: 24 } as const

/** All local variables; those not in {@link SIZES} are pointers, handles and lengths. */
function enterLoader(code: Assembler) {
  return enterFrame(code, {
    image: 8,
    services: 8,
    loadedImage: 8,
    handle: 8,
    volume: 8,
    root: 8,
    directory: 8,
    file: 8,
    length: 8,
    pages: 8,
    kernelAddress: 8,
    kernelLength: 8,
    kernel: 8,
    initrdProtocol: INITRD_PROTOCOL.size,
    ...SIZES,
  })
}
type Locals = ReturnType<typeof enterLoader>

/**
 * A boot loader for the sample image, standing in for systemd-boot: an EFI application that starts the
 * first boot entry of `\loader\entries` on the partition that it was loaded from.
 *
 * It understands just what the `linux`, `initrd` and `options` lines of an entry say, one of each. It
 * loads the kernel through the firmware, hands it the options, and serves the initrd by the LoadFile2
 * protocol at Linux's vendor media path, as systemd-boot does. Where something goes wrong, it says so on
 * the serial port, with the lower half of the EFI status, and returns to the firmware.
 */
export function buildEntryLoader(): Uint8Array {
  const code = createAssembler()
  code.padTo(CODE_OFFSET)
  code.label('entry')
  const frame = enterLoader(code)
  code.store(frame.image, rcx)
  code.load(rax, at(rdx, EFI.systemTable.bootServices))
  code.store(frame.services, rax)

  openEntries(code, frame)
  readEntry(code, frame)
  parseEntry(code, frame)
  loadKernel(code, frame)
  serveInitrd(code, frame)
  callOrFail(code, 'failed', frame.services, EFI.bootServices.startImage, frame.kernel, 0, 0)

  code.label('failed')
  code.move(rbx, rax)
  code.address(rsi, here('failure'))
  code.call('putText')
  code.move(rdi, rbx)
  code.call('putHex')
  code.address(rsi, here('lineEnd'))
  code.call('putText')
  code.move(rax, rbx)
  leaveFrame(code)

  writeTakeValue(code)
  writeLoadFile(code)
  writeSerialRoutines(code)
  writeData(code)
  code.align(0x200)
  const file = code.finish()
  writeEfiHeaders(file, CODE_OFFSET, code.offsetOf('entry'))
  return file
}

function writeData(code: Assembler): void {
  for (const key of ['linux', 'initrd', 'options']) {
    code.label(`key.${key}`)
    code.text(`${key} `)
  }
  code.label('failure')
  code.text('sample boot loader: cannot start the boot entry: status ')
  code.label('lineEnd')
  code.text('\r\n')
  code.align(2)
  code.label('suffix')
  code.wideText('.conf')
  code.label('entriesPath')
  code.wideText('\\loader\\entries')
  writeEfiData(code, [
    'loadedImageProtocol',
    'devicePathProtocol',
    'simpleFileSystemProtocol',
    'loadFile2Protocol',
    'fileInfoId',
  ])
}

/** Opens the directory of entries on the partition that this program came from. */
function openEntries(code: Assembler, frame: Locals): void {
  const { handleProtocol } = EFI.bootServices
  const { services, image, loadedImage, handle, volume, root, directory } = frame
  const self = [image, pointer('loadedImageProtocol'), pointer(loadedImage)]
  callOrFail(code, 'failed', services, handleProtocol, ...self)
  code.load(rax, loadedImage)
  code.load(rax, at(rax, EFI.loadedImage.deviceHandle))
  code.store(handle, rax)
  const files = [handle, pointer('simpleFileSystemProtocol'), pointer(volume)]
  callOrFail(code, 'failed', services, handleProtocol, ...files)
  callOrFail(code, 'failed', volume, EFI.fileSystem.openVolume, volume, pointer(root))
  openFile(code, root, directory, 'entriesPath')
}

function openFile(code: Assembler, parent: Local, file: Local, path: Memory | string): void {
  const { open } = EFI.file
  callOrFail(code, 'failed', parent, open, parent, pointer(file), pointer(path), EFI_FILE_MODE_READ, 0)
}

/** Reads the first file whose name ends in `.conf` into `entry`, with a zero behind it. */
function readEntry(code: Assembler, frame: Locals): void {
  const { directory, file, length, fileInfo, entry } = frame
  const fileName = memberOf(fileInfo, EFI.fileInfo.fileName)

  code.label('nextFile')
  setLocal(code, length, SIZES.fileInfo)
  callOrFail(code, 'failed', directory, EFI.file.read, directory, pointer(length), pointer(fileInfo))
  code.load(rax, length) // 0 at the end of the directory
  code.calculate('cmp', rax, { constant: 0 })
  code.set(rax, EFI_NOT_FOUND)
  code.jumpIf('equal', 'failed')

  code.address(rsi, fileName)
  code.label('nameEnd')
  code.load(rax, at(rsi), 16)
  code.calculate('add', rsi, { constant: 2 })
  code.calculate('cmp', rax, { constant: 0 })
  code.jumpIf('notEqual', 'nameEnd')
  // rsi is behind the zero: `.con` are the eight bytes from 12 before it, `f` the two from 4 before it.
  code.load(rax, at(rsi, -12))
  code.load(rcx, here('suffix'))
  code.calculate('cmp', rax, rcx)
  code.jumpIf('notEqual', 'nextFile')
  code.load(rax, at(rsi, -4), 16)
  code.calculate('cmp', rax, { constant: 'f'.charCodeAt(0) })
  code.jumpIf('notEqual', 'nextFile')

  openFile(code, directory, file, fileName)
  setLocal(code, length, SIZES.entry - 1)
  callOrFail(code, 'failed', file, EFI.file.read, file, pointer(length), pointer(entry))
  code.address(rsi, entry)
  code.load(rax, length)
  code.calculate('add', rsi, rax)
  code.set(rax, 0)
  code.store(at(rsi), rax, 8)
}

/** Takes the values out of the entry; what is not there stays empty. */
function parseEntry(code: Assembler, frame: Locals): void {
  code.set(rax, 0)
  for (const key of ['linux', 'initrd', 'options'] as const) code.store(frame[key], rax, 16)

  code.address(rsi, frame.entry)
  code.label('line')
  for (const [key, isPath] of [
    ['linux', 1],
    ['initrd', 1],
    ['options', 0],
  ] as const) {
    code.address(rdi, here(`key.${key}`))
    code.address(rdx, frame[key])
    code.set(r8, isPath)
    code.set(r9, SIZES[key] / 2)
    code.call('takeValue')
  }
  code.label('lineRest')
  code.load(rax, at(rsi), 8)
  code.calculate('add', rsi, { constant: 1 })
  code.calculate('cmp', rax, { constant: 0 })
  code.jumpIf('equal', 'parsed')
  code.calculate('cmp', rax, { constant: '\n'.charCodeAt(0) })
  code.jumpIf('notEqual', 'lineRest')
  code.jump('line')
  code.label('parsed')
}

/**
 * `takeValue`: where the line at rsi starts with the key at rdi, copies the rest of it to rdx as UTF-16
 * with a zero, which is at most r9 characters. r8 tells whether it is a path, whose `/` become `\`.
 */
function writeTakeValue(code: Assembler): void {
  code.label('takeValue')
  code.move(rbx, rsi)
  code.label('takeValue.key')
  code.load(rcx, at(rdi), 8)
  code.calculate('cmp', rcx, { constant: 0 })
  code.jumpIf('equal', 'takeValue.copy')
  code.load(rax, at(rbx), 8)
  code.calculate('cmp', rax, rcx)
  code.jumpIf('notEqual', 'takeValue.end')
  code.calculate('add', rdi, { constant: 1 })
  code.calculate('add', rbx, { constant: 1 })
  code.jump('takeValue.key')

  code.label('takeValue.copy')
  code.load(rax, at(rbx), 8)
  code.calculate('cmp', rax, { constant: ' '.charCodeAt(0) })
  code.jumpIf('below', 'takeValue.last') // the end of the line
  code.calculate('cmp', rax, { constant: '/'.charCodeAt(0) })
  code.jumpIf('notEqual', 'takeValue.store')
  code.calculate('cmp', r8, { constant: 0 })
  code.jumpIf('equal', 'takeValue.store')
  code.set(rax, '\\'.charCodeAt(0))
  code.label('takeValue.store')
  code.store(at(rdx), rax, 16)
  code.calculate('add', rbx, { constant: 1 })
  code.calculate('add', rdx, { constant: 2 })
  code.calculate('sub', r9, { constant: 1 })
  code.jumpIf('notEqual', 'takeValue.copy')
  code.set(rax, EFI_BUFFER_TOO_SMALL)
  code.jump('failed') // the frame is left from there, whatever is on the stack
  code.label('takeValue.last')
  code.set(rax, 0)
  code.store(at(rdx), rax, 16)
  code.label('takeValue.end')
  code.return()
}

/** Loads the kernel through the firmware, which checks and relocates it, and gives it its options. */
function loadKernel(code: Assembler, frame: Locals): void {
  const { services, image, kernel, kernelAddress, kernelLength, loadedImage } = frame
  readFile(code, frame, frame.linux, kernelAddress, kernelLength)
  const { loadImage, handleProtocol } = EFI.bootServices
  const source = [0, image, 0, kernelAddress, kernelLength, pointer(kernel)]
  callOrFail(code, 'failed', services, loadImage, ...source)
  const loaded = [kernel, pointer('loadedImageProtocol'), pointer(loadedImage)]
  callOrFail(code, 'failed', services, handleProtocol, ...loaded)

  code.address(rsi, frame.options)
  code.move(rcx, rsi)
  code.label('optionsEnd')
  code.load(rax, at(rsi), 16)
  code.calculate('add', rsi, { constant: 2 })
  code.calculate('cmp', rax, { constant: 0 })
  code.jumpIf('notEqual', 'optionsEnd')
  code.calculate('sub', rsi, rcx) // bytes, the zero included
  code.load(rax, loadedImage)
  code.store(at(rax, EFI.loadedImage.loadOptionsSize), rsi, 32)
  code.store(at(rax, EFI.loadedImage.loadOptions), rcx)
}

/** Loads the initrd, if the entry has one, and installs the protocol that hands it out. */
function serveInitrd(code: Assembler, frame: Locals): void {
  code.load(rax, frame.initrd, 16)
  code.calculate('cmp', rax, { constant: 0 })
  code.jumpIf('equal', 'noInitrd')
  const address = memberOf(frame.initrdProtocol, INITRD_PROTOCOL.address)
  const length = memberOf(frame.initrdProtocol, INITRD_PROTOCOL.length)
  readFile(code, frame, frame.initrd, address, length)
  code.address(rax, here('loadFile'))
  code.store(memberOf(frame.initrdProtocol, INITRD_PROTOCOL.loadFile), rax)

  setLocal(code, frame.handle, 0) // a new one
  const path = [pointer('devicePathProtocol'), pointer('initrdPath')]
  const protocol = [pointer('loadFile2Protocol'), pointer(frame.initrdProtocol)]
  const { installMultipleProtocolInterfaces } = EFI.bootServices
  const interfaces = [pointer(frame.handle), ...path, ...protocol, 0]
  callOrFail(code, 'failed', frame.services, installMultipleProtocolInterfaces, ...interfaces)
  code.label('noInitrd')
}

/** `loadFile` of our LoadFile2 protocol (13.2.2): rcx is the protocol, r9 points to the buffer's size. */
function writeLoadFile(code: Assembler): void {
  code.label('loadFile')
  code.load(rdx, at(rcx, INITRD_PROTOCOL.length))
  code.load(rax, at(r9))
  code.store(at(r9), rdx)
  code.load(r8, at(rsp, 0x28)) // the fifth argument: the buffer
  code.calculate('cmp', r8, { constant: 0 })
  code.jumpIf('equal', 'loadFile.tooSmall')
  code.calculate('cmp', rax, rdx)
  code.jumpIf('below', 'loadFile.tooSmall')
  code.load(rcx, at(rcx, INITRD_PROTOCOL.address))
  code.label('loadFile.copy')
  code.calculate('cmp', rdx, { constant: 0 })
  code.jumpIf('equal', 'loadFile.end')
  code.load(rax, at(rcx), 8)
  code.store(at(r8), rax, 8)
  code.calculate('add', rcx, { constant: 1 })
  code.calculate('add', r8, { constant: 1 })
  code.calculate('sub', rdx, { constant: 1 })
  code.jump('loadFile.copy')
  code.label('loadFile.end')
  code.set(rax, 0)
  code.return()
  code.label('loadFile.tooSmall')
  code.set(rax, EFI_BUFFER_TOO_SMALL)
  code.return()
}

/** Reads a whole file of the partition into memory of its own. */
function readFile(code: Assembler, frame: Locals, path: Local, address: Memory, length: Memory): void {
  const { services, root, file, fileInfo } = frame
  openFile(code, root, file, path)
  setLocal(code, frame.length, SIZES.fileInfo)
  const info = [pointer('fileInfoId'), pointer(frame.length), pointer(fileInfo)]
  callOrFail(code, 'failed', file, EFI.file.getInfo, file, ...info)
  code.load(rax, memberOf(fileInfo, EFI.fileInfo.fileSize))
  code.store(length, rax)
  code.calculate('add', rax, { constant: 0xfff })
  code.shiftRight(rax, 12)
  code.store(frame.pages, rax)
  const memory = [EFI_ALLOCATE_ANY_PAGES, EFI_LOADER_DATA, frame.pages, pointer(address)]
  callOrFail(code, 'failed', services, EFI.bootServices.allocatePages, ...memory)
  callOrFail(code, 'failed', file, EFI.file.read, file, pointer(length), address)
}

function setLocal(code: Assembler, local: Local, value: number): void {
  code.set(rax, value)
  code.store(local, rax)
}
