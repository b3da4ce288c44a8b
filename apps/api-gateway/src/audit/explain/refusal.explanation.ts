/** A refusal told in full: the command decided again on the state it was refused on. Pure. */
import { type ControlState, decide } from '@brickyard/domain';
import { tellRejection } from '../../heketi/rejection-texts';
import type { Refusal } from '../../heketi/refusals';
import { refusalText } from './placement-texts';

/** What spoke against devices, as rejections carry it. */
interface Evidence {
  readonly devices: readonly {
    readonly deviceId: string;
    readonly refusal: Parameters<typeof refusalText>[0];
  }[];
  readonly devicesMore: number;
}

/** The explanation; `state` is the one at the refusal's position. */
export function refusalView(refusal: Refusal, state: ControlState): object {
  const { id, command, position, actor, request, refusedAt } = refusal;
  const head = { id, position, refusedAt, actor, request, command };
  const decision = decide(command, state, { position, now: refusedAt });
  if (decision.kind === 'accepted') return { ...head, isReproducible: false };
  const { rejection } = decision;
  const { status, text, remedy } = tellRejection(rejection, command.type);
  const told = { ...head, isReproducible: true, status, reason: text, ...(remedy === undefined ? {} : { remedy }) };
  if (rejection.kind === 'NotPlaced') {
    const clusters = rejection.refusals.map(({ clusterId, refusal: why }) => ({
      cluster: clusterId,
      kind: why.kind,
      ...('devices' in why ? evidence(why, state) : {}),
    }));
    return { ...told, clusters };
  }
  if (rejection.kind === 'ExpansionNotPlaced' && 'devices' in rejection.refusal) {
    return { ...told, clusters: [{ kind: rejection.refusal.kind, ...evidence(rejection.refusal, state) }] };
  }
  return { ...told, rejection };
}

/** The devices that were looked at last, and why each was not taken. */
function evidence({ devices, ...rest }: Evidence, state: ControlState): object {
  return {
    ...rest,
    devices: devices.map(({ deviceId, refusal }) => {
      const device = state.devices.get(deviceId as Parameters<typeof state.devices.get>[0]);
      const node = device === undefined ? undefined : state.nodes.get(device.nodeId);
      return {
        device: deviceId,
        name: device?.name ?? '',
        host: node?.hostnames.manage[0] ?? '',
        zone: node?.zone ?? 0,
        free: device === undefined ? 0 : device.totalKib - device.usedKib,
        rule: refusal.rule,
        why: refusalText(refusal),
      };
    }),
  };
}
