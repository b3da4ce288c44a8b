/** For each alert: what the parts of a system tell when it must fire, and what they tell when it must not. */

/** What Prometheus has scraped, one value a minute, in the notation of `promtool test rules`: `2+1x3` is 2, 3, 4, 5. */
type Series = Readonly<Record<string, string>>;

/** An alert that fires: what it was told, since when that is so, and what it says to whom. */
interface Firing {
  readonly series: Series;
  /** When it is looked at, minutes after the first value. */
  readonly minute: number;
  readonly severity: 'page' | 'ticket';
  readonly labels?: Readonly<Record<string, string>>;
  readonly summary: string;
}

/** Nothing to wake anybody for, and why not. */
interface Quiet {
  readonly why: string;
  readonly series: Series;
  readonly minute: number;
}

/** What is held against one alert. */
export interface AlertCases {
  readonly fires: readonly Firing[];
  readonly quiet: readonly Quiet[];
}

const steady = (value: number): string => `${String(value)}x30`;
/** What a counter is that rises by so much each minute. */
const rising = (perMinute: number): string => `0+${String(perMinute)}x30`;
/** Buckets of a histogram with so many observations a minute, all of them below `bound`. */
const observed = (name: string, labels: string, bounds: readonly string[], bound: string, perMinute = 60): Series =>
  Object.fromEntries(
    [...bounds, '+Inf'].map((le, index, all) => {
      const isAbove = index >= all.indexOf(bound);
      return [`${name}_bucket{${labels}le="${le}"}`, rising(isAbove ? perMinute : 0)];
    }),
  );

const allocator = (n: number): string => `job="allocator",instance="allocator-${String(n)}:9100"`;
const gateway = 'job="gateway",instance="gateway-1:9100"';
const agent = 'job="node-agent",instance="storage-1:9100"';
const registry = 'job="registry",instance="registry:5000"';
const objects = 'job="objects",instance="objects:9001"';
const of = (labels: string): Readonly<Record<string, string>> =>
  Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]));

const COMMIT_BOUNDS = ['0.1', '0.5', '1'];
const SYNC_BOUNDS = ['0.5', '2', '10'];
const syncs = (prefix: string, labels: string, bound: string): Series =>
  observed(`${prefix}_storage_operation_duration_seconds`, `${labels},operation="sync",`, SYNC_BOUNDS, bound);
const requestsOf = (name: string, label: string, ok: number, bad: number): Series => ({
  [`${name}{${label}="200"}`]: rising(ok),
  [`${name}{${label}="500"}`]: rising(bad),
});
const roomOf = (prefix: string, labels: string, free: number): Series => ({
  [`${prefix}_volume_free_bytes{${labels}}`]: steady(free),
  [`${prefix}_volume_size_bytes{${labels}}`]: steady(1_000),
});

export const ALERTS: Readonly<Record<string, AlertCases>> = {
  NoLeader: {
    fires: [
      {
        series: { [`brickyard_leader{${allocator(1)}}`]: steady(0), [`brickyard_leader{${allocator(2)}}`]: steady(0) },
        minute: 2,
        severity: 'page',
        summary: 'No allocator leads; nothing can be changed',
      },
      { series: {}, minute: 2, severity: 'page', summary: 'No allocator leads; nothing can be changed' },
    ],
    quiet: [
      {
        why: 'one of two leads',
        series: { [`brickyard_leader{${allocator(1)}}`]: steady(0), [`brickyard_leader{${allocator(2)}}`]: steady(1) },
        minute: 20,
      },
      {
        why: 'the other one takes over',
        series: {
          [`brickyard_leader{${allocator(1)}}`]: '1 1 0 0 0 0',
          [`brickyard_leader{${allocator(2)}}`]: '0 0 0 1 1 1',
        },
        minute: 3,
      },
    ],
  },
  TwoLeaders: {
    fires: [
      {
        series: { [`brickyard_leader{${allocator(1)}}`]: steady(1), [`brickyard_leader{${allocator(2)}}`]: steady(1) },
        minute: 2,
        severity: 'page',
        summary: 'Two allocators say that they lead',
      },
    ],
    quiet: [
      {
        why: 'the old one was scraped before the new one led',
        series: {
          [`brickyard_leader{${allocator(1)}}`]: '1 1 1 0 0',
          [`brickyard_leader{${allocator(2)}}`]: '0 0 1 1 1',
        },
        minute: 3,
      },
    ],
  },
  ServiceDown: {
    fires: [allocator(2), gateway, agent, registry, objects].map((labels) => ({
      series: { [`up{${labels}}`]: '1 1 0x20' },
      minute: 5,
      severity: 'ticket' as const,
      labels: of(labels),
      summary: `${of(labels)['instance'] ?? ''} does not answer`,
    })),
    quiet: [
      { why: 'it was restarted', series: { [`up{${gateway}}`]: '1 1 0 1x20' }, minute: 4 },
      { why: 'it is not ours', series: { 'up{job="node",instance="elsewhere:9100"}': steady(0) }, minute: 20 },
    ],
  },
  GatewayBehind: {
    fires: [
      {
        series: {
          [`brickyard_log_position{${allocator(1)}}`]: steady(1_000),
          [`brickyard_log_position{${allocator(2)}}`]: steady(990),
          [`brickyard_state_position{${gateway}}`]: steady(850),
        },
        minute: 3,
        severity: 'ticket',
        labels: of(gateway),
        summary: 'gateway-1:9100 answers from a state that is 150 events old',
      },
    ],
    quiet: [
      {
        why: 'it is a little behind, as everyone is',
        series: {
          [`brickyard_log_position{${allocator(1)}}`]: rising(500),
          [`brickyard_state_position{${gateway}}`]: '0 420+500x28',
        },
        minute: 20,
      },
    ],
  },
  WriterBacklog: {
    fires: [
      {
        series: { [`brickyard_writer_waiting{${allocator(1)}}`]: steady(1_500) },
        minute: 2,
        severity: 'ticket',
        labels: of(allocator(1)),
        summary: '1500 commands wait to be decided',
      },
    ],
    quiet: [
      {
        why: 'a rush is over within the minute',
        series: { [`brickyard_writer_waiting{${allocator(1)}}`]: '0 0 4000 0 0' },
        minute: 2,
      },
    ],
  },
  CommitsSlow: {
    fires: [
      {
        series: observed('brickyard_append_commit_seconds', `${allocator(1)},`, COMMIT_BOUNDS, '1'),
        minute: 12,
        severity: 'ticket',
        summary: 'One commit in a hundred takes longer than half a second',
      },
    ],
    quiet: [
      {
        why: 'commits are quick',
        series: observed('brickyard_append_commit_seconds', `${allocator(1)},`, COMMIT_BOUNDS, '0.1'),
        minute: 20,
      },
      {
        why: 'there are none',
        series: observed('brickyard_append_commit_seconds', `${allocator(1)},`, COMMIT_BOUNDS, '1', 0),
        minute: 20,
      },
    ],
  },
  NodeLost: {
    fires: [
      {
        series: { [`brickyard_nodes{${allocator(1)},state="lost"}`]: steady(1) },
        minute: 3,
        severity: 'page',
        labels: { ...of(allocator(1)), state: 'lost' },
        summary: '1 storage hosts are lost',
      },
    ],
    quiet: [
      {
        why: 'one is switched off on purpose',
        series: {
          [`brickyard_nodes{${allocator(1)},state="lost"}`]: steady(0),
          [`brickyard_nodes{${allocator(1)},state="offline"}`]: steady(1),
        },
        minute: 20,
      },
    ],
  },
  OperationStuck: {
    fires: [
      {
        series: { [`brickyard_operation_oldest_seconds{${allocator(1)}}`]: '0+60x40' },
        minute: 31,
        severity: 'ticket',
        labels: of(allocator(1)),
        summary: 'An operation is not over after 31m 0s',
      },
    ],
    quiet: [
      {
        why: 'a large volume takes its time',
        series: { [`brickyard_operation_oldest_seconds{${allocator(1)}}`]: '0+60x25 0x15' },
        minute: 30,
      },
    ],
  },
  ZoneFull: {
    fires: [
      {
        series: {
          [`brickyard_zone_capacity_bytes{${allocator(1)},cluster="c1",zone="1",kind="used"}`]: steady(900),
          [`brickyard_zone_capacity_bytes{${allocator(1)},cluster="c1",zone="1",kind="total"}`]: steady(1_000),
          [`brickyard_zone_capacity_bytes{${allocator(1)},cluster="c1",zone="2",kind="used"}`]: steady(500),
          [`brickyard_zone_capacity_bytes{${allocator(1)},cluster="c1",zone="2",kind="total"}`]: steady(1_000),
        },
        minute: 11,
        severity: 'ticket',
        labels: { ...of(allocator(1)), cluster: 'c1', zone: '1' },
        summary: 'Zone 1 is 90% full',
      },
    ],
    quiet: [
      {
        why: 'there is room, and a zone without devices has nothing to fill',
        series: {
          [`brickyard_zone_capacity_bytes{${allocator(1)},cluster="c1",zone="1",kind="used"}`]: steady(850),
          [`brickyard_zone_capacity_bytes{${allocator(1)},cluster="c1",zone="1",kind="total"}`]: steady(1_000),
          [`brickyard_zone_capacity_bytes{${allocator(1)},cluster="c1",zone="2",kind="used"}`]: steady(0),
          [`brickyard_zone_capacity_bytes{${allocator(1)},cluster="c1",zone="2",kind="total"}`]: steady(0),
        },
        minute: 20,
      },
    ],
  },
  NoSpaceRefusals: {
    fires: [
      {
        series: { [`brickyard_refusals_total{${allocator(1)},reason="NoSpace"}`]: '0 0 1x20' },
        minute: 3,
        severity: 'ticket',
        labels: { ...of(allocator(1)), reason: 'NoSpace' },
        summary: 'Requests were refused since there was no space',
      },
    ],
    quiet: [
      {
        why: 'it was long ago, and others ask for what does not exist',
        series: {
          [`brickyard_refusals_total{${allocator(1)},reason="NoSpace"}`]: '0 0 1x30',
          [`brickyard_refusals_total{${allocator(1)},reason="VolumeNotFound"}`]: rising(3),
        },
        minute: 20,
      },
    ],
  },
  Residue: {
    fires: [
      {
        series: { [`brickyard_residue{${allocator(1)}}`]: '2x70' },
        minute: 61,
        severity: 'ticket',
        labels: of(allocator(1)),
        summary: '2 leftovers of abandoned operations lie on hosts',
      },
    ],
    quiet: [
      {
        why: 'the host came back and removed it',
        series: { [`brickyard_residue{${allocator(1)}}`]: '2x50 0x20' },
        minute: 61,
      },
    ],
  },
  HealBacklog: {
    fires: [
      {
        series: { [`brickyard_heal_pending{${agent},volume="vol_1"}`]: '7x40' },
        minute: 31,
        severity: 'ticket',
        labels: { ...of(agent), volume: 'vol_1' },
        summary: 'Volume vol_1: 7 files are not healed yet',
      },
    ],
    quiet: [
      {
        why: 'it heals, every time',
        series: { [`brickyard_heal_pending{${agent},volume="vol_1"}`]: '7x20 0 7x20' },
        minute: 35,
      },
    ],
  },
  GlusterdDown: {
    fires: [
      {
        series: { [`brickyard_glusterd_up{${agent}}`]: '1 0x10' },
        minute: 4,
        severity: 'page',
        labels: of(agent),
        summary: 'glusterd of storage-1:9100 is down',
      },
    ],
    quiet: [{ why: 'it was restarted', series: { [`brickyard_glusterd_up{${agent}}`]: '1 0 1x10' }, minute: 4 }],
  },
  TasksFail: {
    fires: [
      {
        series: { [`brickyard_tasks_total{${agent},task="CreateBrick",outcome="failed"}`]: rising(1) },
        minute: 15,
        severity: 'ticket',
        labels: { instance: 'storage-1:9100', task: 'CreateBrick' },
        summary: 'Tasks CreateBrick fail again and again on storage-1:9100',
      },
    ],
    quiet: [
      {
        why: 'one was tried again and done, as all others',
        series: {
          [`brickyard_tasks_total{${agent},task="CreateBrick",outcome="failed"}`]: '0 0 3x20',
          [`brickyard_tasks_total{${agent},task="CreateBrick",outcome="done"}`]: rising(60),
        },
        minute: 10,
      },
    ],
  },
  ApiErrors: {
    fires: [
      {
        series: requestsOf('brickyard_http_requests_total', `${gateway},status`, 60, 20),
        minute: 7,
        severity: 'page',
        summary: '25% of requests end with an error of the server',
      },
    ],
    quiet: [
      {
        why: 'one in a hundred',
        series: requestsOf('brickyard_http_requests_total', `${gateway},status`, 99, 1),
        minute: 20,
      },
      {
        why: 'nobody asks for anything',
        series: requestsOf('brickyard_http_requests_total', `${gateway},status`, 0, 0),
        minute: 20,
      },
      {
        why: 'clients are wrong',
        series: {
          [`brickyard_http_requests_total{${gateway},status="200"}`]: rising(1),
          [`brickyard_http_requests_total{${gateway},status="409"}`]: rising(60),
        },
        minute: 20,
      },
    ],
  },
  Drift: {
    fires: [
      {
        series: {
          [`brickyard_drift_findings{${allocator(1)},class="volume-missing"}`]: steady(2),
          [`brickyard_drift_findings{${allocator(1)},class="brick-missing"}`]: steady(0),
        },
        minute: 11,
        severity: 'ticket',
        labels: { class: 'volume-missing' },
        summary: 'Hosts differ from the log: volume-missing, 2 times',
      },
    ],
    quiet: [
      {
        why: 'it was restored by itself',
        series: { [`brickyard_drift_findings{${allocator(1)},class="volume-missing"}`]: '2x8 0x20' },
        minute: 12,
      },
    ],
  },
  BricksNotMounted: {
    fires: [
      {
        series: { [`brickyard_bricks_not_mounted{${agent}}`]: steady(3) },
        minute: 6,
        severity: 'page',
        labels: of(agent),
        summary: '3 bricks of storage-1:9100 are not mounted',
      },
    ],
    quiet: [
      {
        why: 'the host was started again',
        series: { [`brickyard_bricks_not_mounted{${agent}}`]: '3x3 0x20' },
        minute: 6,
      },
    ],
  },
  ThinPoolFilling: {
    fires: [
      {
        series: { [`brickyard_thin_pool_used_ratio{${agent},pool="vg_d/tp_b",part="data"}`]: '0.85x20' },
        minute: 6,
        severity: 'page',
        labels: { ...of(agent), pool: 'vg_d/tp_b', part: 'data' },
        summary: '85% of the data of thin pool vg_d/tp_b on storage-1:9100 is taken',
      },
    ],
    quiet: [
      {
        why: 'a clone was deleted',
        series: { [`brickyard_thin_pool_used_ratio{${agent},pool="vg_d/tp_b",part="data"}`]: '0.85x3 0.4x20' },
        minute: 10,
      },
    ],
  },
  RegistryFull: {
    fires: [
      {
        series: roomOf('registry', registry, 50),
        minute: 11,
        severity: 'ticket',
        summary: 'The volume of the registry has 5% left',
      },
    ],
    quiet: [{ why: 'there is room', series: roomOf('registry', registry, 200), minute: 20 }],
  },
  RegistryBlobsBad: {
    fires: [
      {
        series: { [`registry_verification_failures_total{${registry}}`]: '0 0 1x20' },
        minute: 5,
        severity: 'ticket',
        labels: of(registry),
        summary: 'Images in the registry have blobs that are missing or changed',
      },
    ],
    quiet: [
      {
        why: 'that was before, and is still counted',
        series: { [`registry_verification_failures_total{${registry}}`]: steady(4) },
        minute: 20,
      },
    ],
  },
  RegistryErrors: {
    fires: [
      {
        series: requestsOf('registry_http_requests_total', `${registry},code`, 60, 20),
        minute: 7,
        severity: 'page',
        summary: '25% of requests to the registry end with an error of the server',
      },
    ],
    quiet: [
      {
        why: 'one in a hundred',
        series: requestsOf('registry_http_requests_total', `${registry},code`, 99, 1),
        minute: 20,
      },
    ],
  },
  ObjectsFull: {
    fires: [
      {
        series: roomOf('objects', objects, 50),
        minute: 11,
        severity: 'ticket',
        summary: 'The volume of objects has 5% left',
      },
    ],
    quiet: [
      { why: 'there is room', series: roomOf('objects', objects, 200), minute: 20 },
      { why: 'there is no object gateway', series: {}, minute: 20 },
    ],
  },
  ObjectsErrors: {
    fires: [
      {
        series: requestsOf('objects_http_requests_total', `${objects},code`, 60, 20),
        minute: 7,
        severity: 'page',
        summary: '25% of requests for objects end with an error of the server',
      },
    ],
    quiet: [
      {
        why: 'one in a hundred',
        series: requestsOf('objects_http_requests_total', `${objects},code`, 99, 1),
        minute: 20,
      },
    ],
  },
  StorageAway: {
    fires: [registry, objects].map((labels) => {
      const job = of(labels)['job'] ?? '';
      return {
        series: { [`${job}_storage_ready{${labels}}`]: steady(0) },
        minute: 6,
        severity: 'page' as const,
        labels: of(labels),
        summary: `${of(labels)['instance'] ?? ''} does not reach the volume it stores on`,
      };
    }),
    quiet: [
      { why: 'it waited for Gluster', series: { [`registry_storage_ready{${registry}}`]: '0x4 1x20' }, minute: 7 },
    ],
  },
  StorageErrors: {
    fires: [registry, objects].map((labels) => {
      const { job = '', instance = '' } = of(labels);
      return {
        series: {
          [`${job}_storage_errors_total{${labels},operation="write",code="EIO"}`]: '0 0 1x20',
          [`${job}_storage_errors_total{${labels},operation="write",code="ENOSPC"}`]: steady(0),
        },
        minute: 3,
        severity: 'ticket' as const,
        labels: { instance, operation: 'write', code: 'EIO' },
        summary: `Operations (write) on the volume of ${instance} fail with EIO`,
      };
    }),
    quiet: [
      {
        why: 'it is over',
        series: { [`registry_storage_errors_total{${registry},operation="write",code="EIO"}`]: '0 0 1x30' },
        minute: 20,
      },
    ],
  },
  StorageSlow: {
    fires: [
      ['registry', registry],
      ['objects', objects],
    ].map(([prefix = '', labels = '']) => ({
      series: syncs(prefix, labels, '10'),
      minute: 17,
      severity: 'ticket' as const,
      labels: { instance: of(labels)['instance'] ?? '' },
      summary: `One sync in a hundred on the volume of ${of(labels)['instance'] ?? ''} takes longer than two seconds`,
    })),
    quiet: [
      { why: 'syncs are quick', series: syncs('registry', registry, '0.5'), minute: 20 },
      {
        why: 'it is reading that takes long',
        series: observed(
          'registry_storage_operation_duration_seconds',
          `${registry},operation="read",`,
          SYNC_BOUNDS,
          '10',
        ),
        minute: 20,
      },
    ],
  },
};
