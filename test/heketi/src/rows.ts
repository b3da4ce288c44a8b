/** Every row of the checklist: as a test here, or with the place where it is proven. */
import { authRows, clusterRows, httpRows } from './rows/http.rows';
import { blockRows } from './rows/block.rows';
import { evacuationRows } from './rows/evacuation.rows';
import { operationRows, serverRows } from './rows/server.rows';
import { deviceRows, nodeRows, queueRows } from './rows/topology.rows';
import { placeRows, sizeRows, volumeRows } from './rows/volume.rows';
import type { Row } from './row';

/** In an order in which each leaves the server as the next may find it. */
export const rows: readonly Row[] = [
  ...httpRows(),
  ...authRows(),
  ...clusterRows(),
  ...nodeRows(),
  ...deviceRows(),
  ...queueRows(),
  ...volumeRows(),
  ...sizeRows(),
  ...placeRows(),
  ...operationRows(),
  ...evacuationRows(),
  ...blockRows(),
  ...serverRows(),
];

/** Rows that HTTP against one server cannot show, with the spec that does, or what is missing. */
export const elsewhere: Readonly<Record<string, string>> = {
  A12: 'gateway.settings.unit.spec.ts: a start without keys',
  A13: 'gateway.settings.unit.spec.ts: use_auth is ignored',
  N05: 'commands.int.spec.ts and node-commands: glusterd that does not run; simulated hosts always run it',
  D08: 'brick.driver.contract.ts: every driver refuses to wipe what may be in use',
  V11: 'choose-cluster.unit.spec.ts: no clusters at all; a shared server always has one',
  V22: 'create-volume in sagas.unit.spec.ts: what is tried again; J05 shows the end of a failure',
  S04: 'plan-bricks.unit.spec.ts: the limit of bricks',
  S05: 'plan-bricks.unit.spec.ts: limits from the configuration',
  S06: 'arbiter bricks: specs of placement',
  P05: 'arbiter tags: specs of placement',
  P08: 'choose-cluster.unit.spec.ts: the limit of volumes in a cluster',
  O03: 'crash specs: an operation goes on by itself after a restart, so none is ever stale',
  E02: 'brick-replacement and volume.driver.contract.ts: a brick that others are healed from',
  E03: 'volume.driver.contract.ts: too few of a set are up',
  B03: 'block-volumes.unit.spec.ts: hosting volumes that are not made by themselves; one server has one configuration',
  M07: 'import.unit.spec.ts: a dump is the same after it was taken over',
  'K01-K08': 'cli.e2e.spec.ts, for our own command line',
};
