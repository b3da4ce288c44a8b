/** Volumes as Kubernetes takes them, in the shapes heketi-cli writes. Pure. */
import type { Volume } from '../answers';

/** heketi-cli puts this where nobody named the endpoints. */
const NO_ENDPOINT = 'TYPE ENDPOINT HERE';
/** Endpoints need a port; Gluster's mount does not use it. */
const ANY_PORT = 1;

/** A persistent volume (`v1`) that mounts this volume. */
export const persistentVolume = (
  { id, name, size, gid }: Pick<Volume, 'id' | 'name' | 'size' | 'gid'>,
  endpoint: string = NO_ENDPOINT,
): object => ({
  kind: 'PersistentVolume',
  apiVersion: 'v1',
  metadata: {
    name: `glusterfs-${id.slice(0, 8)}`,
    creationTimestamp: null,
    annotations: { 'pv.beta.kubernetes.io/gid': String(gid) },
  },
  spec: {
    capacity: { storage: `${String(size)}Gi` },
    glusterfs: { endpoints: endpoint, path: name },
    accessModes: ['ReadWriteMany'],
    persistentVolumeReclaimPolicy: 'Retain',
  },
  status: {},
});

const subsetsOf = ({ mount }: Pick<Volume, 'mount'>): object[] =>
  mount.glusterfs.hosts.map((ip) => ({ addresses: [{ ip }], ports: [{ port: ANY_PORT }] }));

/** What makes endpoints name the hosts of this volume. */
export const endpointPatch = (volume: Pick<Volume, 'mount'>): object => ({ subsets: subsetsOf(volume) });

/** heketi's own volume and what Kubernetes needs to copy a database into it. */
export const STORAGE = {
  volume: 'heketidbstorage',
  sizeGib: 2,
  endpoints: 'heketi-storage-endpoints',
  secret: 'heketi-storage-secret',
  job: 'heketi-storage-copy-job',
} as const;

const SUPPORT = { 'deploy-heketi': 'support' };

/** The list that `kubectl create -f` takes: secret, endpoints, service and the job that copies. */
export function storageList(volume: Pick<Volume, 'mount' | 'name'>, backup: Buffer, job: CopyJob): object {
  const secret = {
    kind: 'Secret',
    apiVersion: 'v1',
    metadata: { name: STORAGE.secret, creationTimestamp: null, labels: SUPPORT },
    data: { 'heketi.db': backup.toString('base64') },
  };
  const endpoints = {
    kind: 'Endpoints',
    apiVersion: 'v1',
    metadata: { name: STORAGE.endpoints, creationTimestamp: null },
    subsets: subsetsOf(volume),
  };
  const service = {
    kind: 'Service',
    apiVersion: 'v1',
    metadata: { name: STORAGE.endpoints, creationTimestamp: null },
    spec: { ports: [{ port: ANY_PORT, targetPort: 0 }] },
    status: { loadBalancer: {} },
  };
  return { apiVersion: 'v1', kind: 'List', items: [secret, endpoints, service, copyJob(volume.name, job)] };
}

/** How the copying is done. */
export interface CopyJob {
  readonly image: string;
  /** Labels a node must have, `key: value`. */
  readonly nodeSelector: Readonly<Record<string, string>>;
}

const copyJob = (path: string, { image, nodeSelector }: CopyJob): object => ({
  kind: 'Job',
  apiVersion: 'batch/v1',
  metadata: { name: STORAGE.job, creationTimestamp: null, labels: SUPPORT },
  spec: {
    parallelism: 1,
    completions: 1,
    template: {
      metadata: { name: STORAGE.job, creationTimestamp: null },
      spec: {
        volumes: [
          { name: 'heketi-storage', glusterfs: { endpoints: STORAGE.endpoints, path } },
          { name: STORAGE.secret, secret: { secretName: STORAGE.secret } },
        ],
        containers: [
          {
            name: 'heketi',
            image,
            command: ['cp', '/db/heketi.db', '/heketi'],
            resources: {},
            volumeMounts: [
              { name: 'heketi-storage', mountPath: '/heketi' },
              { name: STORAGE.secret, mountPath: '/db' },
            ],
          },
        ],
        restartPolicy: 'Never',
        ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
      },
    },
  },
  status: {},
});
