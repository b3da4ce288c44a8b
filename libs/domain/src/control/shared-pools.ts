/**
 * Thin pools that more than one brick lives in. A device is charged once for a pool: the brick it was made for carries the
 * charge, its clones carry none. When that brick goes and clones stay, the pool stays, and one of them carries the charge.
 */
import type { Brick, BrickId } from '@brickyard/contracts';
import type { PersistentMap } from '@brickyard/event-sourcing';
import type { ControlState, Volume } from './control.state';
import { changed, withMember, withoutMember } from './fold-tools';

type SharedPools = ControlState['sharedPools'];

const isGuest = ({ poolOf, poolKib }: Brick): boolean => poolOf !== undefined && poolKib === 0;

/** The pools with one more brick, if it is one that lives in another's. */
export function withGuest(pools: SharedPools, brick: Brick): SharedPools {
  const { poolOf, brickId } = brick;
  if (poolOf === undefined || !isGuest(brick)) return pools;
  return pools.set(poolOf, withMember(pools.get(poolOf) ?? [], brickId));
}

const withoutGuest = (pools: SharedPools, pool: BrickId, guest: BrickId): SharedPools => {
  const left = withoutMember(pools.get(pool) ?? [], guest);
  return left.length === 0 ? pools.delete(pool) : pools.set(pool, left);
};

/** The state after a brick has left its pool: the first of those who stay carries what the brick was charged with. */
export function withPoolLeft(state: ControlState, brick: Brick): ControlState {
  const pool = brick.poolOf ?? brick.brickId;
  const guests = state.sharedPools.get(pool);
  if (guests === undefined) return state;
  if (isGuest(brick)) return { ...state, sharedPools: withoutGuest(state.sharedPools, pool, brick.brickId) };
  const [heir] = guests;
  const volumeId = heir === undefined ? undefined : state.devices.get(brick.deviceId)?.bricks.get(heir);
  if (heir === undefined || volumeId === undefined) return state;
  const { poolKib, metadataKib, deviceId } = brick;
  const inherited = (each: Brick): Brick => (each.brickId === heir ? { ...each, poolKib, metadataKib } : each);
  return {
    ...state,
    volumes: changed(state.volumes, volumeId, (volume) => ({ ...volume, bricks: volume.bricks.map(inherited) })),
    devices: changed(state.devices, deviceId, (device) => ({
      ...device,
      usedKib: device.usedKib + poolKib + metadataKib,
    })),
    sharedPools: withoutGuest(state.sharedPools, pool, heir),
  };
}

/** The shared pools of these volumes, made anew. */
export function sharedPoolsOf(
  volumes: readonly Volume[],
  none: SharedPools,
): PersistentMap<BrickId, readonly BrickId[]> {
  return volumes.flatMap(({ bricks }) => bricks).reduce(withGuest, none);
}
