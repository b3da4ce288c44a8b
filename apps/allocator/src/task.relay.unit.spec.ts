import type { TaskEnvelope } from '@brickyard/contracts';
import { parcels } from './task.relay';

const task = (number: number, host: string, name = ''): TaskEnvelope =>
  ({ taskId: `t${String(number)}`, host, task: { type: 'ReadGlusterVolume', volume: { name } } }) as TaskEnvelope;

const sent = (tasks: readonly TaskEnvelope[], processOf: (host: string) => string): string[][] =>
  [...parcels(tasks, processOf)].map((parcel) => parcel.map(({ taskId }) => taskId));

describe('tasks of one commit', () => {
  it('travel by host', () => {
    const tasks = [task(1, 'a'), task(2, 'b'), task(3, 'a')];
    expect(sent(tasks, (host) => host)).toEqual([['t1', 't3'], ['t2']]);
  });

  it('travel together when one process serves their hosts', () => {
    expect(sent([task(1, 'a'), task(2, 'b'), task(3, 'c')], () => 'one')).toEqual([['t1', 't2', 't3']]);
  });

  it('are cut by number, in order', () => {
    const tasks = Array.from({ length: 70 }, (_, index) => task(index, 'a'));
    const all = sent(tasks, (host) => host);
    expect(all.map(({ length }) => length)).toEqual([32, 32, 6]);
    expect(all.flat()).toEqual(tasks.map(({ taskId }) => taskId));
  });

  it('are cut by size', () => {
    const tasks = [1, 2, 3, 4, 5].map((number) => task(number, 'a', 'x'.repeat(90_000)));
    expect(sent(tasks, (host) => host)).toEqual([['t1', 't2'], ['t3', 't4'], ['t5']]);
  });
});
