/** Takes over what exists on hosts: clusters first, then their nodes, their devices, their volumes. Hosts are not touched. */
import { z } from 'zod';
import { AdoptedCluster, AdoptedDevice, AdoptedNode, AdoptedVolume } from './adoption.objects';

export const AdoptCluster = z.strictObject({ type: z.literal('AdoptCluster'), ...AdoptedCluster.shape });
export const AdoptNode = z.strictObject({ type: z.literal('AdoptNode'), ...AdoptedNode.shape });
export const AdoptDevice = z.strictObject({ type: z.literal('AdoptDevice'), ...AdoptedDevice.shape });
export const AdoptVolume = z.strictObject({ type: z.literal('AdoptVolume'), ...AdoptedVolume.shape });
