import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostCommand } from './host-command';

/** Nothing else happens in this process meanwhile. */
const block = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
};

describe('host command', () => {
  it('gives all that a program wrote, also when this process was too busy to look', async () => {
    const result = hostCommand()(['sh', '-c', 'sleep 0.4; printf hello'], { timeoutMs: 10_000 });
    // One turn of the event loop reads this one's output, learns that both have ended, and takes long over it.
    const other = spawn('printf', ['x'], { stdio: ['ignore', 'pipe', 'ignore'] });
    other.stdout.once('data', () => {
      block(700);
    });
    other.once('exit', () => {
      block(400);
    });
    const end = once(other, 'close');
    block(200);
    expect(await result).toMatchObject({ exit: 0, out: 'hello' });
    await end;
  });
});
