import { gib, kibOf } from '@brickyard/contracts';
import { clusterOf, createVolume } from '@brickyard/domain/testing';
import { type Placement, redecide } from './decisions';

describe('a recorded placement, made again', () => {
  const plane = clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib: [kibOf(gib(100))] })));
  const before = plane.state;
  plane.submit(createVolume('web', 2));
  const recorded = plane.log.find(({ event }) => event.type === 'VolumePlanned');
  if (recorded?.event.type !== 'VolumePlanned') throw new Error('nothing was planned');
  const { event: placement, position, at } = recorded;
  const envelope = { position, recordedAt: at, type: placement.type, streamId: placement.volumeId };
  const again = (changed: Placement): unknown => redecide(changed, before, envelope);

  it('gives the same bricks for the same reasons', () => {
    expect(again(placement)).toBeUndefined();
  });

  it('is the same for a volume whose name an earlier release let in and this one does not', () => {
    const name = 'x'.repeat(200);
    expect(again({ ...placement, spec: { ...placement.spec, name } })).toBeUndefined();
  });

  it('is found out when its bricks are others', () => {
    const [first, second, ...others] = placement.bricks;
    if (first === undefined || second === undefined) throw new Error('nothing was planned');
    expect(again({ ...placement, bricks: [second, first, ...others] })).toMatchObject({
      kind: 'decision',
    });
  });
});
