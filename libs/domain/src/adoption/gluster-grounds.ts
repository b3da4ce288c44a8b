/** The file systems that bricks of an adopted pool lie on: each is a device, charged in equal parts to its bricks. */
import { type Brick, type BrickGround, type CommandOf, type DeviceId, kib } from '@brickyard/contracts';
import { deriveId } from '../placement/derive-id';
import { USUAL_EXTENT_KIB } from '../placement/sizing';
import { type Member, type Note, TAKEN } from './gluster-pools';

/** A file system that carries bricks, and how many of those that are taken over. */
export interface Ground {
  readonly member: Member;
  readonly ground: BrickGround;
  readonly deviceId: DeviceId;
  readonly isKnown: boolean;
  bricks: number;
}

export type Grounds = Map<DeviceId, Ground>;
type ReadonlyGrounds = ReadonlyMap<DeviceId, Ground>;

/** The device that a file system is, by the directory it is mounted at. */
export function groundOf(grounds: Grounds, member: Member, ground: BrickGround): DeviceId {
  const known = member.known?.devices.get(ground.mount);
  const deviceId = known ?? (deriveId('adopt', `${member.uuid}/${ground.mount}`) as DeviceId);
  if (!grounds.has(deviceId))
    grounds.set(deviceId, { member, ground, deviceId, isKnown: known !== undefined, bricks: 0 });
  return deviceId;
}

/** The devices that file systems with bricks become, but for those that the log has. */
export const devicesOf = (grounds: ReadonlyGrounds): CommandOf<'AdoptDevice'>[] =>
  [...grounds.values()]
    .filter(({ isKnown, bricks }) => !isKnown && bricks > 0)
    .map(({ member, ground, deviceId }) => ({
      type: 'AdoptDevice',
      origin: 'gluster',
      deviceId,
      nodeId: member.nodeId,
      name: ground.mount,
      tags: {},
      state: 'online',
      totalKib: kib(ground.sizeKib),
      extentKib: USUAL_EXTENT_KIB,
      pvUuid: '',
      paths: [ground.source],
      foreign: true,
    }));

/** What each brick is charged for: an equal part of its file system; nothing of one whose parts are given away already. */
export function charge(grounds: ReadonlyGrounds, brick: Brick): Brick {
  const ground = grounds.get(brick.deviceId);
  if (ground === undefined || ground.isKnown) return brick;
  return { ...brick, poolKib: kib(Math.floor(ground.ground.sizeKib / Math.max(1, ground.bricks))) };
}

/** What people should know of where bricks lie; nothing of it keeps a volume from being taken over. */
export function tellGrounds(grounds: ReadonlyGrounds, { spec, bricks }: CommandOf<'AdoptVolume'>, note: Note): void {
  for (const { deviceId, path } of bricks) {
    const found = grounds.get(deviceId);
    if (found === undefined) continue;
    const { mount } = found.ground;
    const where = `its brick ${path} on ${found.member.look.host}`;
    const about = `volume ${spec.name}`;
    if (mount === '/') note(about, `${where} lies on the root file system: full, it stops the host`, TAKEN);
    else if (found.bricks > 1 || found.isKnown) {
      note(about, `${where} shares ${mount} with other bricks: what they hold does not add up`, TAKEN);
    }
  }
}
