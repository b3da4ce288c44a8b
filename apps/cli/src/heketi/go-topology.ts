/** The topology under the names that heketi-cli's templates know. Pure. */
import { type Brick, type Cluster, type Device, durabilityIn, type Node, type Topology, type Volume } from '../answers';

const brickOf = ({ id, path, device, node, volume, size }: Brick): object => ({
  Id: id,
  Path: path,
  DeviceId: device,
  NodeId: node,
  VolumeId: volume,
  Size: size,
});

const mapOf = (tags: Readonly<Record<string, string>>): ReadonlyMap<string, string> => new Map(Object.entries(tags));

const deviceOf = ({ id, name, state, tags, storage, paths, pv_uuid: pvUuid, bricks }: Device): object => ({
  Id: id,
  Name: name,
  State: state,
  Tags: mapOf(tags),
  Storage: { Total: storage.total, Free: storage.free, Used: storage.used },
  Paths: paths,
  PvUUID: pvUuid,
  Bricks: bricks.map(brickOf),
});

const nodeOf = ({ id, cluster, zone, state, tags, hostnames, devices }: Node): object => ({
  Id: id,
  ClusterId: cluster,
  Zone: zone,
  State: state,
  Tags: mapOf(tags),
  Hostnames: { Manage: hostnames.manage, Storage: hostnames.storage },
  DevicesInfo: devices.map(deviceOf),
});

function volumeOf(volume: Volume): object {
  const { type, replicate, disperse } = durabilityIn(volume.durability);
  const { hosts, device, options } = volume.mount.glusterfs;
  const { freesize, reservedsize, blockvolume, restriction } = volume.blockinfo;
  return {
    Id: volume.id,
    Name: volume.name,
    Size: volume.size,
    Cluster: volume.cluster,
    Gid: volume.gid,
    Block: volume.block,
    Durability: {
      Type: type,
      Replicate: { Replica: replicate.replica },
      Disperse: { Data: disperse.data, Redundancy: disperse.redundancy },
    },
    Snapshot: { Enable: volume.snapshot.enable, Factor: volume.snapshot.factor },
    GlusterVolumeOptions: volume.glustervolumeoptions,
    Mount: { GlusterFS: { Hosts: hosts, MountPoint: device, Options: mapOf(options) } },
    BlockInfo: { FreeSize: freesize, ReservedSize: reservedsize, BlockVolumes: blockvolume, Restriction: restriction },
    Bricks: volume.bricks.map(brickOf),
  };
}

const clusterOf = ({ id, file, block }: Cluster, { nodes, volumes }: Topology): object => ({
  Id: id,
  File: file,
  Block: block,
  Volumes: volumes.filter(({ cluster }) => cluster === id).map(volumeOf),
  Nodes: nodes.filter(({ cluster }) => cluster === id).map(nodeOf),
});

/** What a template is filled with. */
export const goTopology = (topology: Topology): object => ({
  ClusterList: topology.clusters.map((cluster) => clusterOf(cluster, topology)),
});
