import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { signRequest } from '@brickyard/service-host';
import { VolumeInfo, VolumeList } from './answers';
import { stackUnderTest, type StackUnderTest } from './stack-under-test';

jest.setTimeout(300_000);

const REPLICA_3 = { size: 1, durability: { type: 'replicate', replicate: { replica: 3 } } };

describe('the system on simulated hosts', () => {
  let system: StackUnderTest;

  beforeEach(async () => {
    system = await stackUnderTest({ hosts: 'simulated', nodes: 4, registry: false });
  });

  /** Ends the load of a spec that fails before it does so itself. */
  let stopAsking: () => void = () => undefined;

  afterEach(async () => {
    stopAsking();
    await system.end();
  });

  const volumes = async (): Promise<string[]> => VolumeList.parse((await system.api.get('/volumes')).body).volumes;

  /** Asks for volumes one after the other until told to stop; every answer is kept. */
  function askForVolumes(prefix: string): { stop(): Promise<{ made: string[]; refused: string[] }> } {
    const made: string[] = [];
    const refused: string[] = [];
    const state = { isOver: false };
    stopAsking = () => (state.isOver = true);
    const asker = async (lane: number): Promise<void> => {
      for (let number = 0; !state.isOver; number++) {
        const name = `${prefix}-${String(lane)}-${String(number)}`;
        await system.createVolume({ ...REPLICA_3, name }, name).then(
          ({ id }) => made.push(id),
          (error: unknown) => refused.push(String(error)),
        );
      }
    };
    const lanes = [0, 1, 2, 3].map(asker);
    return {
      async stop() {
        state.isOver = true;
        await Promise.all(lanes);
        return { made, refused };
      },
    };
  }

  it('goes on within 3 seconds when the leading allocator is killed; nothing acknowledged is lost or done twice', async () => {
    const load = askForVolumes('lead');
    await system.until('no volume is made', async () => (await volumes()).length > 5);
    const leader = await system.stack.leader();
    const killedAt = performance.now();
    leader.kill('SIGKILL');
    const body = { ...REPLICA_3, name: 'right-after' };
    const { location = '' } = await system.api.post('/volumes', body, { idempotencyKey: 'right-after', follow: false });
    expect(performance.now() - killedAt).toBeLessThan(3_000);
    await system.api.follow(location);
    await system.until('no volume is made after the fail-over', async () => (await volumes()).length > 25);
    const { made, refused } = await load.stop();
    expect(refused).toEqual([]);
    const listed = await volumes();
    expect(new Set(made).size).toBe(made.length);
    expect(listed).toHaveLength(made.length + 1);
    const infos = await Promise.all(
      listed.map(async (id) => VolumeInfo.parse((await system.api.get(`/volumes/${id}`)).body)),
    );
    expect(new Set(infos.map(({ name }) => name)).size).toBe(infos.length);
  });

  it('answers the same Idempotency-Key with the same volume', async () => {
    const one = await system.createVolume(REPLICA_3, 'the-same');
    const other = await system.api.post('/volumes', REPLICA_3, { idempotencyKey: 'the-same', follow: false });
    expect(other.status).toBe(202);
    expect(await volumes()).toEqual([one.id]);
  });

  it.each(['nats', 'postgres'])(
    'reads go on, writes wait or are refused with Retry-After while %s is away, and all heals',
    async (name) => {
      const before = await system.createVolume(REPLICA_3);
      const service = system.stack.service(name);
      await service.stop();
      expect(VolumeInfo.parse((await system.api.get(`/volumes/${before.id}`)).body)).toEqual(before);
      const refusal = await fetchWrite(system, 'while-away');
      expect([503, 202]).toContain(refusal.status);
      if (refusal.status === 503) expect(Number(refusal.headers.get('retry-after'))).toBeGreaterThan(0);
      await service.start();
      await system.until(`no volume can be made after ${name} came back`, () =>
        system.createVolume({ ...REPLICA_3, name: 'after' }, 'after').then(
          () => true,
          () => false,
        ),
      );
      expect(await volumes()).toContain(before.id);
    },
  );

  it('converges when everything stopped and the whole JetStream store is gone', async () => {
    const made = await system.createVolume(REPLICA_3);
    await system.stack.stop();
    await rm(join(system.dataDir, 'nats'), { recursive: true, force: true });
    system = await stackUnderTest({ hosts: 'simulated', nodes: 4, registry: false }, system.dataDir);
    expect(await volumes()).toEqual([made.id]);
    await system.createVolume({ ...REPLICA_3, name: 'again' });
    await system.api.delete(`/volumes/${made.id}`);
    expect(await volumes()).toHaveLength(1);
  });

  it('ends an operation with a cause when its agents are gone, and goes on when they are back', async () => {
    const agents = system.stack.service('node-agents');
    await agents.stop();
    await expect(system.createVolume(REPLICA_3)).rejects.toThrow(/silent since/);
    expect(await volumes()).toEqual([]);
    expect(await system.usedKib()).toBe(0);
    await agents.start();
    await system.until('no volume can be made', () =>
      system.createVolume({ ...REPLICA_3, name: 'after' }).then(
        () => true,
        () => false,
      ),
    );
  });
});

/** A creation as a client without patience sends it. */
async function fetchWrite({ stack }: StackUnderTest, name: string): Promise<Response> {
  const token = signRequest('admin', stack.adminKey, 'POST', '/volumes', Math.floor(Date.now() / 1000));
  const asked = fetch(`${stack.apiUrl}/volumes`, {
    method: 'POST',
    headers: { authorization: `bearer ${token}` },
    body: JSON.stringify({ ...REPLICA_3, name }),
  });
  const tooLate = pause(30_000, undefined, { ref: false }).then(() => {
    throw new Error('a write hung for 30 s');
  });
  return Promise.race([asked, tooLate]);
}
