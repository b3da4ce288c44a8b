import { z } from 'zod';

const hex32 = z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 lowercase hexadecimal characters');

/** Names one trusted pool of nodes. */
export const ClusterId = hex32.brand('ClusterId');
export type ClusterId = z.infer<typeof ClusterId>;

/** Names one storage host within a cluster. */
export const NodeId = hex32.brand('NodeId');
export type NodeId = z.infer<typeof NodeId>;

/** Names one block device (or what stands for one) that a node gave to Brickyard. */
export const DeviceId = hex32.brand('DeviceId');
export type DeviceId = z.infer<typeof DeviceId>;

/** Names one brick: one directory on one device. */
export const BrickId = hex32.brand('BrickId');
export type BrickId = z.infer<typeof BrickId>;

/** Names one volume. */
export const VolumeId = hex32.brand('VolumeId');
export type VolumeId = z.infer<typeof VolumeId>;

/** Names one block volume: a file on a hosting volume, offered over iSCSI. */
export const BlockVolumeId = hex32.brand('BlockVolumeId');
export type BlockVolumeId = z.infer<typeof BlockVolumeId>;

/** Names one run of a saga; also the id clients poll at `/queue/{id}`. */
export const OperationId = hex32.brand('OperationId');
export type OperationId = z.infer<typeof OperationId>;

/** Names one difference between hosts and log. */
export const DriftId = hex32.brand('DriftId');
export type DriftId = z.infer<typeof DriftId>;

/** Chosen by whoever asks; the same id again gets the first answer. At most 200 printable ASCII characters. */
export const CommandId = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 printable ASCII characters without spaces')
  .brand('CommandId');
export type CommandId = z.infer<typeof CommandId>;

/** The name a node agent answers to: its node's first management host name, an address or a DNS name. */
export const HostName = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?$/, 'must be a host name or an IP address')
  .brand('HostName');
export type HostName = z.infer<typeof HostName>;
