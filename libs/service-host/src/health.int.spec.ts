import { type Check, startHealthServer } from './health';
import { createMetrics } from './metrics';

describe('startHealthServer', () => {
  it('is alive, is ready only when every check is fine, and shows the metrics', async () => {
    const metrics = createMetrics('allocator');
    metrics
      .counter({ name: 'commands_total', help: 'Commands by outcome', labels: ['outcome'] })
      .inc({ outcome: 'ok' });
    let checks: () => Promise<Record<string, Check>> = () => Promise.resolve({ nats: { ok: true } });
    const server = await startHealthServer({ port: 0, host: '127.0.0.1', metrics, ready: () => checks() });
    const get = async (path: string): Promise<[number, string]> => {
      const response = await fetch(`http://127.0.0.1:${String(server.port)}${path}`);
      return [response.status, await response.text()];
    };
    expect((await get('/health/live'))[0]).toBe(200);
    expect(await get('/health/ready')).toEqual([200, '{"status":"ready","checks":{"nats":{"ok":true}}}\n']);
    checks = () => Promise.resolve({ nats: { ok: true }, leader: { ok: false, detail: 'standby' } });
    expect(await get('/health/ready')).toEqual([
      503,
      expect.stringContaining('"leader":{"ok":false,"detail":"standby"}'),
    ]);
    checks = () => Promise.reject(new Error('pool is closed'));
    expect(await get('/health/ready')).toEqual([503, expect.stringContaining('pool is closed')]);
    const [status, text] = await get('/metrics');
    expect([status, text]).toEqual([
      200,
      expect.stringContaining('commands_total{outcome="ok",service="allocator"} 1'),
    ]);
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    expect((await get('/else'))[0]).toBe(404);
    await server.close();
  });
});
