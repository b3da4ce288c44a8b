/** `brickyard audit verify`: whether the log is the one that was written, and says what the product says. */
import { decodeSnapshot, FOLD_VERSION } from '@brickyard/domain';
import { REGISTRY_FOLD_VERSION } from '@brickyard/domain/registry';
import { compareCheckpoints, type CheckpointSource, type Finding } from '@brickyard/event-sourcing';
import {
  openAuditSource,
  openCheckpointTable,
  readCheckpointFile,
  readKeyring,
  type LedgerStanding,
} from '@brickyard/event-sourcing/postgres';
import { UsageError } from '../exit-codes';
import { changesBetween, type Change, type Picture } from '../picture/picture';
import { pictureOfState } from '../picture/state-picture';
import { walkChainAside, walkRegistryAside } from './aside';
import type { ChainWalkReport } from './chain-walk';
import { foldInParts } from './fold-parts';
import type { FoldWalkReport } from './fold-walk';

export interface VerifyOptions {
  readonly pgUrl: string;
  readonly ledger: string;
  /** Files of checkpoints to compare with the table. */
  readonly checkpointFiles: readonly string[];
  /** File or folder of trusted public keys; without it signatures are not checked. */
  readonly keys?: string;
  /** What the API shows at a position; absent: it is not asked. */
  readonly apiPicture?: (position: number) => Promise<Picture>;
}

/** One thing that was looked at. */
export interface Check {
  readonly name: 'chain' | 'checkpoints' | 'witnesses' | 'fold' | 'snapshots' | 'decisions' | 'invariants' | 'api';
  /** What exactly was checked, and what was not. */
  readonly said: string;
  /** False when it was not looked at. */
  readonly done: boolean;
  readonly findings: readonly Finding[];
}

export interface VerifyReport {
  readonly ledger: string;
  readonly head: { readonly position: number; readonly hash: string };
  readonly ok: boolean;
  readonly checks: readonly Check[];
  readonly tookMs: number;
}

const TABLE = 'es.checkpoints';
/** The ledgers whose events this program can fold. */
const CONTROL = 'control';
const REGISTRY = 'registry';
const CHANGES_MAX = 100;

/** Looks at everything; rejects with `Unavailable` while Postgres is away. */
export async function verifyLedger(options: VerifyOptions): Promise<VerifyReport> {
  const { pgUrl, ledger } = options;
  const startedAt = performance.now();
  const keys = options.keys === undefined ? undefined : await readKeyring(options.keys);
  const files = await readFiles(options);
  const standing = await readStanding(pgUrl, ledger);
  const { head, strays, streams } = standing;
  const { checkpoints, handOvers } = standing;
  const sources = [{ name: TABLE, checkpoints, handOvers }, ...files.sources];
  if (sources.every((source) => source.checkpoints.length === 0)) refuseUnknown(ledger, standing);
  const snapshotsOf = (version: string): number[] =>
    standing.snapshots.flatMap(({ foldVersion, position }) => (foldVersion === version ? [position] : []));
  const [chain, fold, registry] = await Promise.all([
    walkChainAside({ pgUrl, ledger, head, strays, streams, sources, keys: keys === undefined ? undefined : [...keys] }),
    ledger === CONTROL
      ? foldInParts({
          pgUrl,
          ledger,
          head,
          snapshots: snapshotsOf(FOLD_VERSION),
          tellState: options.apiPicture !== undefined,
        })
      : undefined,
    ledger === REGISTRY
      ? walkRegistryAside({ pgUrl, ledger, head, snapshots: snapshotsOf(REGISTRY_FOLD_VERSION) })
      : undefined,
  ]);
  const disagreements = await compareWithFiles(options, standing, files.sources);
  const checks: Check[] = [
    chainCheck(chain),
    checkpointsCheck(chain, [...files.findings, ...disagreements], sources, head.position, keys?.size),
    witnessesCheck(standing),
    ...(fold === undefined ? [] : foldChecks(fold, standing)),
    ...(registry === undefined ? [] : stateChecks(registry, standing, REGISTRY_FOLD_VERSION)),
    ...(fold === undefined && registry === undefined ? notFolded(ledger) : []),
    ...(fold === undefined ? [] : [await apiCheck(options, fold, head.position)]),
  ];
  const ok = checks.every(({ findings }) => findings.length === 0);
  return { ledger, head, ok, checks, tookMs: Math.round(performance.now() - startedAt) };
}

/** A name that nothing in Postgres bears is a slip of the hand, and nothing found wrong with it would be no finding. */
export function refuseUnknown(ledger: string, standing: LedgerStanding): void {
  const { ledgers, strays, streams, cursors, answeredUpTo, snapshots } = standing;
  const traces = strays.length + streams.size + cursors.size + answeredUpTo + snapshots.length;
  if (ledgers.includes(ledger) || traces > 0) return;
  const known = ledgers.length === 0 ? 'none at all' : ledgers.join(', ');
  throw new UsageError(`this database has no ledger ${ledger}; it has ${known}`);
}

async function readStanding(pgUrl: string, ledger: string): Promise<LedgerStanding> {
  const source = await openAuditSource(pgUrl, ledger);
  try {
    return await source.standing();
  } finally {
    await source.close();
  }
}

async function readFiles({ checkpointFiles, ledger }: VerifyOptions): Promise<{
  readonly sources: readonly CheckpointSource[];
  readonly findings: readonly Finding[];
}> {
  const read = await Promise.all(checkpointFiles.map(async (name) => ({ name, ...(await readCheckpointFile(name)) })));
  return {
    sources: read.map(({ name, checkpoints, handOvers }) => ({
      name,
      checkpoints: checkpoints.filter((one) => one.ledger === ledger),
      handOvers: handOvers.filter((one) => one.ledger === ledger),
    })),
    findings: read.flatMap(({ name, brokenLines }) =>
      brokenLines.map((line) => ({
        kind: 'checkpoint-broken',
        position: 0,
        detail: `line ${String(line)} of ${name} is neither a checkpoint nor a hand-over`,
      })),
    ),
  };
}

/** What was just being written stands in one place a moment earlier: looked at again before it is told. */
async function compareWithFiles(
  options: VerifyOptions,
  { checkpoints, handOvers }: LedgerStanding,
  files: readonly CheckpointSource[],
): Promise<readonly Finding[]> {
  const { pgUrl, ledger } = options;
  const first = compareCheckpoints({ name: TABLE, checkpoints, handOvers }, files);
  if (first.length === 0) return first;
  const table = openCheckpointTable({ url: pgUrl, ledger });
  try {
    const late = { checkpoints: await table.all(), handOvers: await table.handOvers() };
    const inFiles = new Set(files.flatMap((file) => file.checkpoints.map(({ position }) => position)));
    const known = new Set(checkpoints.map(({ position }) => position));
    const appeared = late.checkpoints.filter(({ position }) => !known.has(position) && inFiles.has(position));
    const now = { name: TABLE, checkpoints: [...checkpoints, ...appeared], handOvers: late.handOvers };
    return compareCheckpoints(now, (await readFiles(options)).sources).filter(({ position, kind }) =>
      first.some((one) => one.position === position && one.kind === kind),
    );
  } finally {
    await table.close();
  }
}

const check = (name: Check['name'], said: string, findings: readonly Finding[], done = true): Check => ({
  name,
  said,
  done,
  findings,
});

const chainCheck = ({ events, streams, findings }: ChainWalkReport): Check =>
  check(
    'chain',
    `${String(events)} events: each hash over content and predecessor, up to the recorded end; ${String(streams)} streams count on as es.streams has it`,
    findings,
  );

function checkpointsCheck(
  { checkpoints }: ChainWalkReport,
  more: readonly Finding[],
  sources: readonly CheckpointSource[],
  end: number,
  keys: number | undefined,
): Check {
  const findings = [...more, ...checkpoints.findings];
  const counts = sources.map((source) => `${String(source.checkpoints.length)} in ${source.name}`).join(', ');
  if (keys === undefined) {
    return check(
      'checkpoints',
      `${counts}: hashes compared; signatures NOT checked, as no trusted keys were given (--keys)`,
      findings,
    );
  }
  const unsigned = end - checkpoints.vouchedUpTo;
  const said = `${counts}: hashes and signatures by ${String(keys)} trusted key(s)${followed(checkpoints.handOvers)}; vouched for up to position ${String(checkpoints.vouchedUpTo)}, the last ${String(unsigned)} event(s) by nobody`;
  return check('checkpoints', said, findings);
}

const followed = (handOvers: number): string =>
  handOvers === 0 ? '' : ` and the ${String(handOvers)} they handed over to, one after the other`;

/** Followers, answers and snapshots remember how long the log once was. */
function witnessesCheck({ head, cursors, answeredUpTo, snapshots }: LedgerStanding): Check {
  const end = head.position;
  const seen: (readonly [string, number])[] = [
    ...[...cursors].map(([name, position]) => [`the follower ${name} in es.cursors`, position] as const),
    ['an answer in es.commands', answeredUpTo],
    ...snapshots.slice(-1).map(({ position }) => ['a snapshot in es.snapshots', position] as const),
  ];
  const findings = seen.flatMap(([who, position]) => {
    if (position <= end) return [];
    const detail = `${who} knows position ${String(position)}, but the ledger ends at ${String(end)}: its tail was cut off`;
    return [{ kind: 'truncated', position: end + 1, detail }];
  });
  return check('witnesses', 'followers, answers and snapshots know no position after the end', findings);
}

const notFolded = (ledger: string): Check[] => [
  check('fold', `not folded: ledger ${ledger} is neither the control plane's nor the registry's`, [], false),
];

const findingsOf = (findings: readonly Finding[], ...kinds: string[]): Finding[] =>
  findings.filter(({ kind }) => kinds.includes(kind));

/** What can be asked of any fold. */
function stateChecks(
  { events, later, snapshots, findings }: Pick<FoldWalkReport, 'events' | 'later' | 'snapshots' | 'findings'>,
  standing: LedgerStanding,
  version: string,
): Check[] {
  const end = later === undefined ? '' : `; ${later}; nothing from there on was folded`;
  const others = standing.snapshots.filter(({ foldVersion }) => foldVersion !== version).length;
  return [
    check(
      'fold',
      `${String(events)} events folded with today's code (${version})${end}`,
      findingsOf(findings, 'fold'),
      later === undefined,
    ),
    check(
      'snapshots',
      `${String(snapshots.length)} of ${version}: byte for byte what their events fold to${others === 0 ? '' : `; ${String(others)} of other versions not compared`}`,
      findingsOf(findings, 'snapshot'),
    ),
  ];
}

function foldChecks(fold: FoldWalkReport, standing: LedgerStanding): Check[] {
  return [
    ...stateChecks(fold, standing, FOLD_VERSION),
    check(
      'decisions',
      `${String(fold.decisions)} placements made again on the state before them: same bricks, same reasons. The policy in force is not in the events: size limits were taken from the recorded attempts, and clusters tried before the chosen one were not tried again`,
      findingsOf(fold.findings, 'decision'),
    ),
    check(
      'invariants',
      'after every placement and at the end: no device over-filled, no two bricks of a set on a node, each brick on its node; at the end, space promised is what bricks take',
      findingsOf(fold.findings, 'invariant'),
      fold.isWhole,
    ),
  ];
}

async function apiCheck({ apiPicture }: VerifyOptions, { state }: FoldWalkReport, position: number): Promise<Check> {
  if (apiPicture === undefined) return check('api', 'not asked (--api URL)', [], false);
  if (state === undefined) return check('api', 'not compared: there is no fold to compare with', [], false);
  const expected = pictureOfState(decodeSnapshot(state), position);
  const shown = await apiPicture(position);
  const changes = changesBetween(expected, shown);
  const said = `${String(expected.things.size)} clusters, nodes, devices and volumes as the API shows them at position ${String(position)}`;
  return check(
    'api',
    said,
    changes.slice(0, CHANGES_MAX).map((change) => apiFinding(change, position)),
  );
}

function apiFinding({ kind, id, what, fields }: Change, position: number): Finding {
  const [first] = fields;
  const difference = {
    added: 'the API shows it, the events know nothing of it',
    removed: 'the events have it, the API does not show it',
    changed: `${first?.field ?? ''} is ${first?.before ?? 'nothing'} by the events, ${first?.after ?? 'nothing'} by the API`,
  }[what];
  return { kind: 'api', position, detail: `${kind} ${id}: ${difference}` };
}
