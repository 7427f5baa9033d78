/** Namespaces of an OVF envelope (DMTF DSP0243 1.1), and those of the two vendors. */
export const NAMESPACES = {
  xmlns: 'http://schemas.dmtf.org/ovf/envelope/1',
  'xmlns:cim': 'http://schemas.dmtf.org/wbem/wscim/1/common',
  'xmlns:ovf': 'http://schemas.dmtf.org/ovf/envelope/1',
  'xmlns:rasd': 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData',
  'xmlns:vbox': 'http://www.virtualbox.org/ovf/machine',
  'xmlns:vmw': 'http://www.vmware.com/schema/ovf',
  'xmlns:vssd': 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData',
  'xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance',
} as const

/** What a disk is, by the URI that VMware has for it. */
export const STREAM_OPTIMIZED = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized'

/** `ResourceType` of CIM_ResourceAllocationSettingData. */
export const RESOURCE = { other: 1, processor: 3, memory: 4, ide: 5, scsi: 6, disk: 17 } as const

/** `OperatingSystem.OSType` of CIM: "Linux 2.6.x 64-Bit". */
export const OPERATING_SYSTEM = 100
