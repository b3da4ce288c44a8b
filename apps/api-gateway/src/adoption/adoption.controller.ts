import { AdoptionRequest, type AdoptionAnswer, HostName } from '@brickyard/contracts';
import { Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { type CommandSender } from '../heketi/command-sender';
import { tellRejection } from '../heketi/rejection-texts';
import { CommandRejected, TextError } from '../heketi/text-error';
import { sendEmpty, sendJson } from '../http/answers';
import type { GatewayReply, GatewayRequest } from '../http/gateway-request';
import { COMMAND_SENDER, HOST_LOOK } from '../tokens';
import type { HostLook } from './host-look';

const HOSTS_MAX = 200;

/**
 * `/v1/adoptions`: takes over what exists, without touching a host. With the first thing that is taken over the API is
 * read-only for everybody, so that hosts and log can be compared before anybody changes either; `confirm` ends that, and
 * only that: a mode that somebody else set stays.
 */
@Controller('v1')
export class AdoptionController {
  constructor(
    @Inject(COMMAND_SENDER) private readonly commands: CommandSender,
    @Inject(HOST_LOOK) private readonly look: HostLook,
  ) {}

  @Post('adoptions')
  async adopt(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    // One key stands for one command, and here are many; repeating them changes nothing anyhow.
    if (request.headers['idempotency-key'] !== undefined) throw new TextError(400, 'Idempotency-Key is not taken here');
    const { adopt } = adoptionFrom(request.body);
    const refused: AdoptionAnswer['refused'] = [];
    if (adopt.length > 0) {
      await this.commands.send(request, reply, { type: 'SetAdminMode', mode: 'read-only', adoption: true });
    }
    for (const command of adopt) {
      try {
        await this.commands.send(request, reply, command);
      } catch (error) {
        if (!(error instanceof CommandRejected)) throw error;
        refused.push({ subject: subjectOf(command), reason: tellRejection(error.rejection, command.type).text });
      }
    }
    sendJson(reply, 200, { adopted: adopt.length - refused.length, refused } satisfies AdoptionAnswer);
  }

  @Post('adoptions/confirm')
  async confirm(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    await this.commands.send(request, reply, { type: 'SetAdminMode', mode: 'normal', adoption: true });
    sendEmpty(reply, 204);
  }

  /** Asks the agents of hosts that need not be in the log yet. */
  @Get('hosts')
  async hosts(@Req() request: GatewayRequest, @Res() reply: GatewayReply): Promise<void> {
    const { name = [] } = request.query as { readonly name?: string | readonly string[] };
    const names = [name].flat().map((one) => HostName.safeParse(one));
    if (names.length > HOSTS_MAX) throw new TextError(400, `more than ${String(HOSTS_MAX)} hosts`);
    const hosts = names.flatMap(({ data }) => data ?? []);
    if (hosts.length < names.length || hosts.length === 0) throw new TextError(400, 'name: must be a host name');
    sendJson(reply, 200, await this.look.at(hosts));
  }
}

function adoptionFrom(body: unknown): AdoptionRequest {
  const text = Buffer.isBuffer(body) ? body.toString('utf8') : '';
  const read = AdoptionRequest.safeParse(jsonIn(text));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new TextError(400, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not understood'}`);
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new TextError(422, 'request unable to be parsed');
  }
}

function subjectOf(command: AdoptionRequest['adopt'][number]): string {
  switch (command.type) {
    case 'AdoptCluster':
      return `cluster ${command.clusterId}`;
    case 'AdoptNode':
      return `node ${command.nodeId} (${command.hostnames.manage[0] ?? ''})`;
    case 'AdoptDevice':
      return `device ${command.deviceId} (${command.name})`;
    case 'AdoptVolume':
      return `volume ${command.volumeId} (${command.spec.name})`;
  }
}
