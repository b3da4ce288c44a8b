/** `POST /v1/what-if`: a story told step by step on a fork of the log; nothing is recorded and no host hears of it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type CommandOf,
  kib,
  KIB_PER_GIB,
  type OperationId,
  type PlacementPolicy,
  type Rejection,
  type VolumeCreateRequest,
  type VolumeId,
  WhatIfRequest,
  type WhatIfStep,
} from '@brickyard/contracts';
import {
  addDevicesIn,
  createIn,
  type EvacuationPlanned,
  fill,
  type Fork,
  type Health,
  loseNodeIn,
  planEvacuation,
  type TouchedVolume,
} from '@brickyard/domain';
import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { GatewaySettings } from '../../config/gateway.settings';
import { newId } from '../../heketi/command-sender';
import { tellRejection } from '../../heketi/rejection-texts';
import { badRequest, TextError } from '../../heketi/text-error';
import { volumeSpecFrom } from '../../heketi/volume-request';
import { sendJson } from '../../http/answers';
import type { GatewayReply, GatewayRequest } from '../../http/gateway-request';
import type { ClusterStateReader } from '../../state/cluster-state.reader';
import { requestedState } from '../../state/requested-state';
import { SETTINGS, STATE_READER } from '../../tokens';
import { placementView } from './volume.explanation';

/** Volumes that are counted; more is "at least". */
const FILL_MAX = 10_000;
const FILL_PATIENCE_MS = 5_000;
/** So long other requests may wait while volumes are placed. */
const SLICE_MS = 8;
const VOLUMES_TOLD_MAX = 1_000;

/** A step's answer and the fork that the next one begins with. */
interface Told {
  readonly answer: object;
  readonly fork: Fork;
}

@Controller('v1/what-if')
export class WhatIfController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(SETTINGS) private readonly settings: GatewaySettings,
  ) {}

  @Post()
  @HttpCode(200)
  async tell(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { steps } = storyIn(request.body);
    const { state, position } = await requestedState(this.reader, request, reply);
    let fork: Fork = { state, position, now: new Date().toISOString() };
    const answers: object[] = [];
    for (const step of steps) {
      const told = await this.step(step, fork);
      answers.push({ do: step.do, ...told.answer });
      fork = told.fork;
      await nextTurn();
    }
    sendJson(reply, 200, { position, steps: answers });
  }

  private step(step: WhatIfStep, fork: Fork): Told | Promise<Told> {
    switch (step.do) {
      case 'create-volume':
        return this.create(this.command(step.volume, []), fork);
      case 'lose-node':
        return lose(step, fork, this.settings.policy.zoneChecking);
      case 'add-devices':
        return add(step, fork);
      case 'fill':
        return this.fill(this.command(step.volume, step.cluster === undefined ? [] : [step.cluster]), fork);
    }
  }

  private create(command: CommandOf<'CreateVolume'>, fork: Fork): Told {
    const creation = createIn(fork, command);
    if (creation.kind === 'refused') return { answer: refused(creation.rejection), fork };
    const { placement, volume } = creation;
    const stored = { position: fork.position + 1, recordedAt: fork.now, streamId: `volume-${volume.volumeId}` };
    const told = { ...stored, ...NOBODY, type: placement.type, version: placement.version, data: {} };
    const { bricks } = placement;
    const explanation = placementView(
      { stored: told, bricks, placement: placement.placement },
      volume.spec.options,
      fork.state,
    );
    const places = bricks.map((brick) => ({ ...brick, host: hostOf(fork, brick.nodeId) }));
    return { answer: { fits: true, bricks: places, explanation }, fork: creation.fork };
  }

  /** Places volume after volume, in slices, so that nobody else waits long. */
  private async fill(shape: CommandOf<'CreateVolume'>, fork: Fork): Promise<Told> {
    const until = performance.now() + FILL_PATIENCE_MS;
    const placing = fill(fork, shape);
    let at = fork;
    let sliceEnd = performance.now() + SLICE_MS;
    for (let count = 0; ; count++) {
      const { value, done } = placing.next();
      if (done === true) return { answer: { count, isAll: true, endedBy: refused(value) }, fork: at };
      if (count + 1 >= FILL_MAX || performance.now() > until) {
        return { answer: { count: count + 1, isAll: false }, fork: value.fork };
      }
      at = value.fork;
      if (performance.now() < sliceEnd) continue;
      await nextTurn();
      sliceEnd = performance.now() + SLICE_MS;
    }
  }

  private command(volume: VolumeCreateRequest, clusters: readonly string[]): CommandOf<'CreateVolume'> {
    const volumeId = newId() as VolumeId;
    const spec = volumeSpecFrom(volume, volumeId, this.settings.volumeOptions);
    const wanted = clusters.length > 0 ? clusters : (volume.clusters ?? []);
    const { policy } = this.settings;
    return {
      type: 'CreateVolume',
      operationId: newId() as OperationId,
      volumeId,
      spec,
      clusters: [...wanted],
      policy,
    };
  }
}

const NOBODY = {
  ledger: 'what-if',
  streamVersion: 1,
  eventId: '',
  hash: '',
  metadata: { correlationId: 'what-if', actor: { name: 'what-if' } },
};

function storyIn(body: unknown): WhatIfRequest {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.isBuffer(body) ? body.toString('utf8') : '');
  } catch {
    throw badRequest('the body must be JSON: {"steps":[{"do":"lose-node","node":"…"}]}');
  }
  const parsed = WhatIfRequest.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw badRequest(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not understood'}`);
}

const hostOf = ({ state }: Fork, nodeId: keyof never): string =>
  state.nodes.get(nodeId as Parameters<typeof state.nodes.get>[0])?.hostnames.manage[0] ?? '';

function refused(rejection: Rejection): object {
  const { text, remedy } = tellRejection(rejection, 'CreateVolume');
  return { fits: false, reason: text, ...(remedy === undefined ? {} : { remedy }), rejection };
}

function lose(
  { node }: Extract<WhatIfStep, { do: 'lose-node' }>,
  fork: Fork,
  zoneChecking: PlacementPolicy['zoneChecking'],
): Told {
  const loss = loseNodeIn(fork, node);
  if (loss === undefined) throw new TextError(404, `node ${node} is not there`);
  const counts: Record<Health, number> = { whole: 0, degraded: 0, 'read-only': 0, unreachable: 0 };
  for (const { after } of loss.volumes) counts[after] += 1;
  const volumes = loss.volumes.slice(0, VOLUMES_TOLD_MAX).map(touchedView);
  const evacuation = evacuationView(
    planEvacuation({ subject: { kind: 'node', nodeId: node }, seed: node, zoneChecking }, loss.fork.state),
  );
  const answer = { node, host: hostOf(fork, node), touched: loss.volumes.length, counts, volumes, evacuation };
  return { answer, fork: loss.fork };
}

/** Whether what the node held finds a place elsewhere, or what stands in the way. */
function evacuationView(planned: EvacuationPlanned): object {
  if (planned.kind === 'planned') return { fits: true, moves: planned.moves.length };
  const { blocked, blockedMore, remedy } = planned;
  return { fits: false, blocked: blocked.length + blockedMore, bricks: blocked, remedy };
}

const touchedView = ({ volumeId, name, before, after, bricksLost }: TouchedVolume): object => ({
  id: volumeId,
  name,
  before,
  after,
  bricksLost: bricksLost.map(({ brickId }) => brickId),
});

function add({ node, sizeGib, count, tags }: Extract<WhatIfStep, { do: 'add-devices' }>, fork: Fork): Told {
  const next = addDevicesIn(fork, { nodeId: node, count, sizeKib: kib(sizeGib * KIB_PER_GIB), tags });
  if (next === undefined) throw new TextError(404, `node ${node} is not there`);
  return { answer: { node, host: hostOf(fork, node), added: count, sizeGib }, fork: next };
}
