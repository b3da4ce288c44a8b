/** Every row of the checklist: as a test here, or with the place where it is proven. */
import { authRows, clusterRows, httpRows } from './rows/http.rows';
import { blockRows } from './rows/block.rows';
import { clientRows } from './rows/client.rows';
import { evacuationRows } from './rows/evacuation.rows';
import { placeRows, sizeRows } from './rows/placement.rows';
import { operationRows, serverRows } from './rows/server.rows';
import { deviceRows, nodeRows, queueRows } from './rows/topology.rows';
import { volumeRows } from './rows/volume.rows';
import type { Proof, RowId } from './checklist';
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
  ...clientRows(),
  ...serverRows(),
];

const CLI = 'test/src/cli.e2e.spec.ts';
const HEKETI_CLI = 'apps/cli/src/heketi/heketi.unit.spec.ts';
const DAY = { spec: CLI, title: 'does a day of work as heketi-cli, in its words' };
const SETTINGS = 'apps/api-gateway/src/config/gateway.settings.unit.spec.ts';
const TEXTS = {
  spec: 'apps/api-gateway/src/heketi/rejection-texts.unit.spec.ts',
  title: '%s of %s is told in heketi’s words',
};
const BRICKS = 'apps/node-agent/src/drivers/brick.driver.contract.ts';
const CLUSTERS = 'libs/domain/src/placement/choose-cluster.unit.spec.ts';
const PLAN = 'libs/domain/src/placement/plan-bricks.unit.spec.ts';
const SAGAS = 'libs/domain/src/operation/sagas.unit.spec.ts';
const REPLACEMENT = 'apps/node-agent/src/drivers/gluster/brick-replacement.unit.spec.ts';

/** Rows that HTTP against one server cannot show, with the tests that do. */
export const elsewhere: Partial<Readonly<Record<RowId, readonly Proof[]>>> = {
  A12: [
    { spec: SETTINGS, title: 'A12 need both keys unless authentication is off' },
    { spec: 'apps/api-gateway/src/main.int.spec.ts', title: 'ends with 1 and says why when it has no keys' },
  ],
  A13: [{ spec: SETTINGS, title: 'A13 ask for tokens whatever use_auth says' }],
  N05: [
    {
      spec: 'libs/domain/src/control/node-commands.unit.spec.ts',
      title: 'needs glusterd on the first host of a cluster, then on one of its members',
    },
    {
      spec: 'apps/api-gateway/src/heketi/commands.int.spec.ts',
      title: 'asks the new host and a member whether Gluster runs before a node is added',
    },
    TEXTS,
  ],
  D08: [
    {
      spec: BRICKS,
      title:
        'refuses a device that is another device already, unless its identity is unknown to us and wiping is allowed',
    },
    { spec: BRICKS, title: 'refuses a device that holds data, and wipes it only when told to' },
  ],
  V11: [{ spec: CLUSTERS, title: 'refuses when there is no cluster, and when a named one does not exist' }, TEXTS],
  V22: [{ spec: SAGAS, title: 'is tried five times in all, then undone without a trace' }],
  S04: [{ spec: PLAN, title: 'refuses 1000 GiB in three copies when seven devices hold 21 bricks of the 24 needed' }],
  S05: [
    { spec: PLAN, title: 'keeps to the limits of its policy: 120 GiB in two copies as eight bricks of 31457280 KiB' },
    { spec: SETTINGS, title: 'take heketi’s file, 0 as its default, and let heketi’s variables win' },
  ],
  P08: [{ spec: CLUSTERS, title: 'counts volumes of every status against the limit, after the name' }, TEXTS],
  O03: [
    {
      spec: 'tools/crash/src/crash.e2e.spec.ts',
      title: 'keeps what it acknowledged, ends every operation, and leaves the hosts as the log says',
    },
    {
      spec: 'apps/api-gateway/src/heketi/server/server-routes.int.spec.ts',
      title: 'counts and lists operations, and tells one by its changes',
    },
  ],
  E02: [{ spec: REPLACEMENT, title: 'is refused when others are healed from the brick, unless nobody is to look' }],
  E03: [{ spec: REPLACEMENT, title: 'is refused when too few of the others are up: %s' }],
  B03: [{ spec: 'libs/domain/src/block/block-volumes.unit.spec.ts', title: 'is refused %s' }, TEXTS],
  M07: [
    {
      spec: 'apps/api-gateway/src/heketi/db/import.unit.spec.ts',
      title: 'is the same after it was taken over, whatever was made, grown, cloned and deleted before',
    },
  ],
  K01: [DAY],
  K02: [DAY],
  K03: [
    DAY,
    { spec: HEKETI_CLI, title: 'tell a volume; its sets are counted from its bricks' },
    { spec: HEKETI_CLI, title: 'tell lists, block volumes and operations' },
    { spec: HEKETI_CLI, title: 'tell the tree, each thing below its own cluster' },
    { spec: HEKETI_CLI, title: 'ends with 255 and says Error, whatever is wrong' },
  ],
  K04: [DAY, { spec: HEKETI_CLI, title: 'is a persistent volume named for the volume' }],
  K05: [DAY, { spec: HEKETI_CLI, title: 'is a list that copies a database into a volume' }],
  K06: [
    {
      spec: 'apps/cli/src/cli.unit.spec.ts',
      title: 'comes from flags, then from our variables, then from those of heketi',
    },
  ],
};
