import { LogRecordHeader, UnmountRecord, XLOG_HEADER_MAGIC_NUM } from './format.ts'

/*
 * The log of a filesystem that was unmounted: one record, which says just that, in cycle 1; the rest is
 * zero (`libxfs_log_clear`).
 */

/** Bytes of a block of the log, whatever the sectors of the device. */
const LOG_BLOCK = 512
/** `XLOG_BIG_RECORD_BSIZE`. */
const RECORD_BUFFER = 32_768
/** `XLOG_FMT_LINUX_LE`: payloads are little-endian, as this one. */
const FORMAT = 1
/** `XLOG_UNMOUNT_TYPE`, `XLOG_UNMOUNT_TRANS`, `XFS_LOG`. */
const UNMOUNT = Uint8Array.of(0x6e, 0x55)
const UNMOUNT_TRANS = 0x20
const CLIENT = 0xaa
/** The transaction's number by which a log made outside of a kernel is known. */
const TRANSACTION = 0xb0c0d0d0
const CYCLE = 1

/**
 * The first bytes of the log.
 * @param stripe `sb_logsunit`: bytes to which records are padded, 1 for none
 */
export function encodeEmptyLog(stripe: number, uuid: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.max(stripe, 2 * LOG_BLOCK))
  LogRecordHeader.write(bytes, 0, {
    magicno: XLOG_HEADER_MAGIC_NUM,
    cycle: CYCLE,
    version: 2,
    len: bytes.length - LOG_BLOCK,
    lsn: BigInt(CYCLE) << 32n,
    tailLsn: BigInt(CYCLE) << 32n,
    prevBlock: 0xffff_ffff,
    numLogops: 1,
    // Every block of a record starts with its cycle; the word that stood there is kept here.
    cycleData: TRANSACTION,
    fmt: FORMAT,
    fsUuid: uuid,
    size: RECORD_BUFFER,
  })
  UnmountRecord.write(bytes, LOG_BLOCK, {
    len: 8,
    clientid: CLIENT,
    flags: UNMOUNT_TRANS,
    magic: UNMOUNT,
  })
  const view = new DataView(bytes.buffer)
  for (let at = LOG_BLOCK; at < bytes.length; at += LOG_BLOCK) view.setUint32(at, CYCLE)
  return bytes
}
