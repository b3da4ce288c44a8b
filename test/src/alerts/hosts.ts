/** Alerts about hosts, volumes and what has to be done on them. */
import { agent, type AlertCases, allocator, of, rising, steady } from './series';

export const HOSTS: Readonly<Record<string, AlertCases>> = {
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
};
