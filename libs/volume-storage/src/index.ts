export { type ByteRange, rangeOf } from './byte-range';
export { drained, drainState, type DrainState, whileDraining } from './drain';
export { type FileAction, observed, onFileOperation } from './file-operations';
export type { Fill } from './gluster-mount';
export { createByteServer, type Handle, type TlsFiles } from './http-server';
export { PartFile } from './part-file';
export { receive, type Received } from './receive';
export { type AccessLog, type EndedRequest, isTold, requestMetrics, type RequestMetrics } from './request-metrics';
export { sendRange } from './send-range';
export { watchFileOperations } from './storage-metrics';
export { Turns } from './turns';
export type { VolumeWish } from './volume-claim';
export { guarded, guardedWrite, VolumeFull, VolumeTrouble, volumeErrorFrom } from './volume-errors';
export { syncFolder, VolumeFolder } from './volume-folder';
export { type Kept, UNMOUNT_MS, volumeStorageFrom, watchFill } from './volume-service';
export {
  pairOf,
  portVariable,
  secondsVariable,
  type VolumeServiceSettings,
  volumeServiceSettings,
  type VolumeServiceUsual,
  type VolumeServiceVariables,
  volumeServiceVariables,
} from './volume-service-settings';
export { type StorageOptions, type StorageReport, type Store, VolumeStorage } from './volume-storage';
