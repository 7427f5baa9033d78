import { seededBytes, seededUuid, toHex } from '@bootable/bytes'
import { NAMESPACES, OPERATING_SYSTEM, RESOURCE, STREAM_OPTIMIZED } from './format.ts'
import { type Element, element, formatXml } from './xml.ts'

/** What an appliance says about its machine. */
export interface OvfMachine {
  /** What people call it. */
  readonly name: string
  /** File name of the disk. */
  readonly diskFile: string
  /** Bytes of the file, and of the disk in it. */
  readonly diskFileSize: number
  readonly capacity: number
  readonly cpus: number
  /** MiB. */
  readonly memory: number
  readonly firmware: 'bios' | 'efi'
  /** Where the uuids and the network address of VirtualBox's section come from. */
  readonly seed: string
}

/**
 * The descriptor of a machine with one disk (DMTF DSP0243 1.1), as image-builder makes it: hardware version 15
 * of VMware with a paravirtual SCSI controller, and a section of VirtualBox's own.
 */
export function formatOvf(machine: OvfMachine): string {
  const { name, diskFile, diskFileSize, capacity } = machine
  const info = (text: string): Element => element('Info', text)
  const references = element('References', [
    element('File', [], { 'ovf:href': diskFile, 'ovf:id': 'file1', 'ovf:size': diskFileSize }),
  ])
  const disks = element('DiskSection', [
    info('Virtual disk information'),
    element('Disk', [], {
      'ovf:capacity': capacity,
      'ovf:capacityAllocationUnits': 'byte',
      'ovf:diskId': 'vmdisk1',
      'ovf:fileRef': 'file1',
      'ovf:format': STREAM_OPTIMIZED,
      'ovf:populatedSize': diskFileSize,
    }),
  ])
  const system = element(
    'VirtualSystem',
    [
      info('A virtual machine'),
      element('Name', name),
      element('OperatingSystemSection', [info('The kind of installed guest operating system')], {
        'ovf:id': OPERATING_SYSTEM,
        'vmw:osType': 'other26xLinux64Guest',
      }),
      hardware(machine),
      virtualBoxMachine(machine),
    ],
    { 'ovf:id': name },
  )
  const networks = element('NetworkSection', [info('The list of logical networks')])
  return formatXml(element('Envelope', [references, disks, networks, system], NAMESPACES))
}

function hardware({ name, cpus, memory, firmware }: OvfMachine): Element {
  const items = [
    item('1', RESOURCE.processor, `${cpus} virtual CPU(s)`, {
      AllocationUnits: 'hertz * 10^6',
      Description: 'Number of Virtual CPUs',
      VirtualQuantity: cpus,
    }),
    item('2', RESOURCE.memory, `${memory}MB of memory`, {
      AllocationUnits: 'byte * 2^20',
      Description: 'Memory Size',
      VirtualQuantity: memory,
    }),
    item('3', RESOURCE.scsi, 'SCSI Controller 0', {
      Address: 0,
      Description: 'SCSI Controller',
      ResourceSubType: 'VirtualSCSI',
    }),
    item('4', RESOURCE.ide, 'VirtualIDEController 0', { Address: 0, Description: 'IDE Controller' }),
    item('5', RESOURCE.disk, 'Hard Disk 1', {
      AddressOnParent: 0,
      HostResource: 'ovf:/disk/vmdisk1',
      Parent: 3,
    }),
    item(
      '6',
      RESOURCE.other,
      'Virtual Machine Communication Interface',
      { AutomaticAllocation: 'false', ResourceSubType: 'vmware.vmci' },
      { 'ovf:required': 'false' },
    ),
  ]
  const config = (key: string, value: string): Element =>
    element('vmw:Config', [], { 'ovf:required': 'false', 'vmw:key': key, 'vmw:value': value })
  return element('VirtualHardwareSection', [
    element('Info', 'Virtual hardware requirements'),
    element('System', [
      element('vssd:ElementName', 'Virtual Hardware Family'),
      element('vssd:InstanceID', 0),
      element('vssd:VirtualSystemIdentifier', name),
      element('vssd:VirtualSystemType', 'vmx-15'),
    ]),
    ...items,
    config('firmware', firmware),
    ...(firmware === 'efi' ? [config('bootOptions.efiSecureBootEnabled', 'false')] : []),
  ])
}

/** A piece of hardware. Its properties stand in the order of the alphabet, as the schema has them. */
function item(
  id: string,
  type: number,
  name: string,
  properties: Readonly<Record<string, string | number>>,
  attributes: Element['attributes'] = {},
): Element {
  const all = { ...properties, ElementName: name, InstanceID: id, ResourceType: type }
  const sorted = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1))
  return element(
    'Item',
    sorted.map(([key, value]) => element(`rasd:${key}`, value)),
    attributes,
  )
}

/** What VirtualBox's own exports carry; without it the disk lands on a controller that few systems boot from. */
function virtualBoxMachine({ name, seed, firmware }: OvfMachine): Element {
  // 08:00:27 is the prefix of VirtualBox's network cards.
  const address = `080027${toHex(seededBytes(seed, 'ova:network', 3)).toUpperCase()}`
  const hardwareElements = [
    element('CPU', [element('PAE', [], { enabled: 'true' }), element('LongMode', [], { enabled: 'true' })]),
    element('Memory', [], { RAMSize: 1024 }),
    ...(firmware === 'efi' ? [element('Firmware', [], { type: 'EFI' })] : []),
    element('Network', [
      element('Adapter', [element('NAT', [])], {
        slot: 0,
        enabled: 'true',
        MACAddress: address,
        type: '82540EM',
      }),
    ]),
  ]
  const disk = element('Image', [], { uuid: `{${seededUuid(seed, 'ova:disk')}}` })
  const controller = element(
    'StorageController',
    [
      element('AttachedDevice', [disk], {
        type: 'HardDisk',
        hotpluggable: 'false',
        port: 0,
        device: 0,
      }),
    ],
    { name: 'IDE Controller', type: 'PIIX4', PortCount: 2, useHostIOCache: 'true', Bootable: 'true' },
  )
  return element(
    'vbox:Machine',
    [
      element('ovf:Info', 'Complete VirtualBox machine configuration in VirtualBox format'),
      element('Hardware', hardwareElements),
      element('StorageControllers', [controller]),
    ],
    {
      'ovf:required': 'false',
      version: '1.15-linux',
      uuid: `{${seededUuid(seed, 'ova:machine')}}`,
      name,
      OSType: 'OtherLinux_64',
    },
  )
}
