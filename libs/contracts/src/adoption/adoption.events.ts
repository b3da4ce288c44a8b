/** What was taken over as it was found: no operation made it, and none runs. */
import { AdoptedCluster, AdoptedDevice, AdoptedNode, AdoptedVolume } from './adoption.objects';

export const adoptionEvents = {
  ClusterAdopted: [AdoptedCluster],
  NodeAdopted: [AdoptedNode],
  DeviceAdopted: [AdoptedDevice],
  VolumeAdopted: [AdoptedVolume],
} as const;
