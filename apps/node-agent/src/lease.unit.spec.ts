import { Unavailable } from '@brickyard/service-host';
import { assertHeard, LEASE_MS, openLease } from './lease';

describe('the lease of a host', () => {
  let now = 0;
  const heard = (): ReturnType<typeof openLease> => {
    now = 1_000_000;
    const lease = openLease(() => now);
    lease.confirm(now);
    return lease;
  };

  it('lets a task begin commands while the host is heard', async () => {
    const lease = heard();
    const work = async (): Promise<string> => {
      assertHeard();
      now += LEASE_MS;
      await Promise.resolve();
      assertHeard();
      return 'done';
    };
    await expect(lease.during(work)).resolves.toBe('done');
  });

  it('refuses the next command when the host was not heard, whatever the driver makes of it', async () => {
    const lease = heard();
    let isRefused = false;
    const work = async (): Promise<string> => {
      now += LEASE_MS + 1;
      await Promise.resolve();
      try {
        assertHeard();
      } catch {
        isRefused = true;
      }
      return 'the driver goes on';
    };
    await expect(lease.during(work)).rejects.toThrow(Unavailable);
    expect(isRefused).toBe(true);
  });

  it('refuses a task that began before the host was away, also when it is heard again', async () => {
    const lease = heard();
    const work = async (): Promise<void> => {
      now += 2 * LEASE_MS;
      lease.confirm(now);
      await Promise.resolve();
      assertHeard();
    };
    await expect(lease.during(work)).rejects.toThrow(/not heard/);
    const next = async (): Promise<void> => {
      await Promise.resolve();
      assertHeard();
    };
    await expect(lease.during(next)).resolves.toBeUndefined();
  });

  it('counts from when a word was said, not from when it was confirmed', async () => {
    const lease = heard();
    const saidAt = now;
    now += LEASE_MS - 1;
    lease.confirm(saidAt);
    const work = async (): Promise<void> => {
      now += 2;
      await Promise.resolve();
      assertHeard();
    };
    await expect(lease.during(work)).rejects.toThrow(Unavailable);
  });

  it('lets a task wait for the first word', async () => {
    now = 0;
    const lease = openLease(() => now);
    const done = lease.during(() => Promise.resolve('done'));
    lease.confirm(now);
    await expect(done).resolves.toBe('done');
  });

  it('refuses nothing that no task asked for', () => {
    heard();
    now += 10 * LEASE_MS;
    expect(assertHeard).not.toThrow();
  });
});
