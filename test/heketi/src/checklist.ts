/** What clients of heketi can see, row by row, and the proof of each row: a test here, or specs elsewhere. */
import type { Row } from './row';

/** Every row, with what it is about. */
export const checklist = {
  H01: 'hello without a token',
  H02: 'an unknown path',
  H03: 'a wrong method',
  H04: 'a trailing slash',
  H05: 'an id that is not hexadecimal',
  H06: 'an id in upper case',
  H07: 'errors as plain text',
  H08: 'JSON that cannot be read',
  H09: 'a body on GET',
  H10: 'no CORS',
  H11: 'metrics without a token',
  A01: 'no token',
  A02: 'a malformed header',
  A03: 'a token signed with another key',
  A04: 'a token of nobody',
  A05: 'the end of a token',
  A06: 'a clock that is ahead',
  A07: 'a token for another request',
  A08: 'the query is not signed',
  A09: 'any HMAC, and nothing else',
  A10: 'the role user',
  A11: 'the scheme in any case',
  A12: 'a start without keys',
  A13: 'use_auth is ignored',
  J01: 'where accepted work can be watched',
  J02: 'work that goes on',
  J03: 'work that ended with a result',
  J04: 'work that ended without one',
  J05: 'work that failed',
  J06: 'a result is told once',
  J07: 'too much at once',
  J08: 'what goes on while there is too much',
  J09: 'what has ended makes room',
  C01: 'a cluster of nothing',
  C02: 'flags are overwritten',
  C03: 'a cluster that is not empty',
  C04: 'a cluster deleted twice',
  C05: 'the order of clusters',
  N01: 'a node is added',
  N02: 'what can be wrong with a node',
  N03: 'a name that is taken',
  N04: 'a node without its cluster',
  N05: 'glusterd that does not run',
  N06: 'a node once more after a failure',
  N07: 'a node is deleted',
  N08: 'states of a node',
  N09: 'tags',
  N10: 'limits of tags',
  D01: 'a device is added',
  D02: 'the name of a device',
  D03: 'a device without its node',
  D04: 'only a failed device is deleted',
  D05: 'a failed device comes back',
  D06: 'a device is looked at again',
  D07: 'a device is forgotten',
  D08: 'what may be wiped',
  D09: 'a device while bricks are put on it',
  V01: 'a size is enough',
  V02: 'the number of replicas nobody asked for',
  V03: 'too many replicas',
  V04: 'shapes of erasure coding',
  V05: 'the smallest volume',
  V06: 'the snapshot factor',
  V07: 'the group id',
  V08: 'the name',
  V09: 'a name twice',
  V10: 'an unknown cluster',
  V11: 'no clusters',
  V12: 'no space',
  V13: 'no space in several clusters',
  V14: 'flags of clusters',
  V15: 'all fields of a volume',
  V16: 'a volume that is being made',
  V17: 'a volume is deleted',
  V18: 'the volume of the database',
  V19: 'a volume grows',
  V20: 'why a volume does not grow',
  V21: 'a clone',
  V22: 'a creation is tried again',
  V23: 'what could not be undone',
  V24: 'a volume as Kubernetes asks for it',
  S01: 'what bricks take from a device',
  S02: 'the largest brick of a device',
  S03: 'a volume in several sets',
  S04: 'the limit of bricks',
  S05: 'limits from the configuration',
  S06: 'sizes of arbiters',
  S07: 'what a hosting volume keeps for itself',
  P01: 'bricks of a set on different nodes',
  P02: 'too few nodes',
  P03: 'what is offline',
  P04: 'strict zones',
  P05: 'tags for arbiters',
  P06: 'tags that choose devices',
  P07: 'the order of clusters asked for',
  P08: 'the limit of volumes in a cluster',
  O01: 'operations counted',
  O02: 'operations listed',
  O03: 'a restart meanwhile',
  O04: 'cleaning up',
  O05: 'an unknown operation',
  E01: 'a brick is evicted',
  E02: 'a brick that others are healed from',
  E03: 'too few others are up',
  E04: 'no other place',
  E05: 'a device is emptied',
  E06: 'the only copy',
  E07: 'a node is emptied',
  B01: 'a hosting volume is made',
  B02: 'a block volume that is too large',
  B03: 'hosting volumes that are not made',
  B04: 'a hosting volume that is being made',
  B05: 'how many hosts offer it',
  B06: 'user name and password',
  B07: 'a block volume grows',
  B08: 'a hosting volume that is in use',
  B09: 'a hosting volume that is locked',
  B10: 'a name twice',
  M01: 'a read-only server',
  M02: 'a server for local clients',
  M03: 'the log level',
  M04: 'the database as text',
  M05: 'the database as a backup',
  M06: 'metrics',
  M07: 'the database taken over',
  K01: 'a topology loaded twice',
  K02: 'a topology that fails in part',
  K03: 'what each command prints',
  K04: 'a persistent volume',
  K05: 'storage for the database in Kubernetes',
  K06: 'variables and flags',
  K07: 'a day of the Python client',
  K08: 'the patience of the Go client',
} as const satisfies Readonly<Record<string, string>>;
export type RowId = keyof typeof checklist;

/** A test of another spec: its file, and its title as it stands there. */
export interface Proof {
  readonly spec: string;
  readonly title: string;
}

/** What is wrong with how rows are proven; nothing when each is proven once, here or elsewhere. */
export function gapsIn(
  ids: readonly string[],
  rows: readonly Pick<Row, 'id' | 'also'>[],
  elsewhere: Readonly<Record<string, readonly Proof[]>>,
  textOf: (spec: string) => string | undefined,
): string[] {
  const here = rows.flatMap(({ id, also = [] }) => [...(EXTRA.test(id) ? [] : [id]), ...also]);
  const known = new Set(ids);
  const proven = [...here, ...Object.keys(elsewhere)];
  return [
    ...ids.filter((id) => !proven.includes(id)).map((id) => `${id} is proven nowhere`),
    ...proven.filter((id, index) => proven.indexOf(id) !== index).map((id) => `${id} is named twice`),
    ...proven.filter((id) => !known.has(id)).map((id) => `${id} is not on the list`),
    ...rows
      .filter(({ id }) => EXTRA.test(id) && !known.has(id.slice(0, -1)))
      .map(({ id }) => `${id} belongs to no row of the list`),
    ...Object.entries(elsewhere).flatMap(([id, proofs]) =>
      proofs.length === 0 ? [`${id} names no proof`] : proofs.flatMap((proof) => gapOf(id, proof, textOf(proof.spec))),
    ),
  ];
}

/** One more test of a row. */
const EXTRA = /[a-z]$/;

function gapOf(id: string, { spec, title }: Proof, text: string | undefined): string[] {
  if (text === undefined) return [`${id}: there is no ${spec}`];
  const isThere = [`'${title}'`, `"${title}"`, `\`${title}\``].some((quoted) => text.includes(quoted));
  return isThere ? [] : [`${id}: ${spec} has no test "${title}"`];
}
