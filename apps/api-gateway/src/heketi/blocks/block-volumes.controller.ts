import {
  BlockVolumeCreateRequest,
  BlockVolumeExpandRequest,
  BlockVolumeId,
  type ChapIdentity,
  type NewHosting,
  type OperationId,
  VolumeCreateRequest,
  type VolumeId,
} from '@brickyard/contracts';
import { Controller, Delete, Get, Inject, Post, Req, Res } from '@nestjs/common';
import type { GatewaySettings } from '../../config/gateway.settings';
import { sendAccepted, sendJson } from '../../http/answers';
import type { GatewayReply, GatewayRequest } from '../../http/gateway-request';
import type { ClusterStateReader } from '../../state/cluster-state.reader';
import { requestedState } from '../../state/requested-state';
import { COMMAND_SENDER, SETTINGS, STATE_READER } from '../../tokens';
import { type CommandSender, newId } from '../command-sender';
import { readBody } from '../request-body';
import { ID, routeId } from '../route-id';
import { badRequest, idNotFound, TextError } from '../text-error';
import { blockVolumeCreateProblem, blockVolumeExpandProblem } from '../validation';
import { visibleBlockVolume } from '../visible';
import { sizeKibFrom, volumeSpecFrom } from '../volume-request';
import { blockVolumeListView, blockVolumeView } from './block-volume.view';

/** As heketi makes the volumes that hold block volumes. */
const HOSTING_DURABILITY = { type: 'replicate', replicate: { replica: 3 } };

/** `/blockvolumes`. */
@Controller('blockvolumes')
export class BlockVolumesController {
  constructor(
    @Inject(STATE_READER) private readonly reader: ClusterStateReader,
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
    @Inject(SETTINGS) private readonly settings: GatewaySettings,
  ) {}

  @Get()
  async list(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    sendJson(reply, 200, blockVolumeListView(state));
  }

  @Get(ID)
  async show(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { state } = await requestedState(this.reader, request, reply);
    const block = visibleBlockVolume(state, routeId(BlockVolumeId, request));
    if (block === undefined) throw idNotFound();
    sendJson(reply, 200, blockVolumeView(state, block, this.settings.chapKeys));
  }

  /** Plans a block volume, and a volume to hold it when none has room; the answer says where to watch it being made. */
  @Post()
  async create(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const body = readBody(BlockVolumeCreateRequest, request.body);
    const problem = blockVolumeCreateProblem(body);
    if (problem !== undefined) throw badRequest(problem);
    const blockVolumeId = newId() as BlockVolumeId;
    const operationId = newId() as OperationId;
    const name = body.name === undefined || body.name === '' ? `blockvol_${blockVolumeId}` : body.name;
    const chap = body.auth === true ? this.chapFor(blockVolumeId) : undefined;
    const ids = await this.commands.send(request, reply, {
      type: 'CreateBlockVolume',
      operationId,
      blockVolumeId,
      name,
      sizeKib: sizeKibFrom(body.size ?? 0),
      portals: body.hacount ?? 0,
      ...(chap === undefined ? {} : { chap }),
      clusters: body.clusters ?? [],
      hosting: this.newHosting(),
      policy: this.settings.policy,
    });
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }

  private chapFor(blockVolumeId: BlockVolumeId): ChapIdentity {
    const { chapKeys } = this.settings;
    if (chapKeys !== undefined) return { username: blockVolumeId, keyId: chapKeys.newest };
    throw new TextError(
      500,
      'Failed to allocate new block volume: this server has no key for the secrets of initiators; set BRICKYARD_CHAP_KEYS for every gateway and allocator',
    );
  }

  private newHosting(): NewHosting {
    const { hosting, volumeOptions } = this.settings;
    const volumeId = newId() as VolumeId;
    const wanted = { size: hosting.sizeGib, block: true, durability: HOSTING_DURABILITY };
    const spec = volumeSpecFrom(VolumeCreateRequest.parse(wanted), volumeId, volumeOptions);
    return { volumeId, spec, isAllowed: hosting.isAutomatic };
  }

  @Post(`${ID}/expand`)
  async expand(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const body = readBody(BlockVolumeExpandRequest, request.body);
    const problem = blockVolumeExpandProblem(body);
    if (problem !== undefined) throw badRequest(problem);
    const blockVolumeId = routeId(BlockVolumeId, request);
    const operationId = newId() as OperationId;
    const newSizeKib = sizeKibFrom(body.new_size ?? 0);
    const command = { type: 'ExpandBlockVolume', operationId, blockVolumeId, newSizeKib } as const;
    const ids = await this.commands.send(request, reply, command);
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }

  @Delete(ID)
  async remove(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const blockVolumeId = routeId(BlockVolumeId, request);
    const operationId = newId() as OperationId;
    const command = { type: 'DeleteBlockVolume', operationId, blockVolumeId } as const;
    const ids = await this.commands.send(request, reply, command);
    sendAccepted(reply, ids['operationId'] ?? operationId);
  }
}
