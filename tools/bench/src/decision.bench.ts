/** How long a placement decision takes in a large estate. */
import { performance } from 'node:perf_hooks';
import { addTopology, history, skipToReady, volumeCommand } from './large-estate';
import { median, percentile, type Figure } from './report';

const NODES = 1_000;
const DEVICES = 12;
const VOLUMES = 100_000;
const DEVICE_KIB = 500 * 1_048_576;
const DECISIONS = 2_000;
const P99_MS = 5;

/** Decides on 1,000 nodes × 12 devices holding 100,000 volumes. */
export function benchDecision(say: (text: string) => void): readonly Figure[] {
  const before = settledHeap();
  const estate = history();
  addTopology(estate, NODES, DEVICES, DEVICE_KIB, 10);
  for (let number = 0; number < VOLUMES; number++) {
    const command = volumeCommand(number);
    estate.take(estate.decide(command).slice(0, 1));
    skipToReady(estate, command);
    if (number % 20_000 === 0) say(`  ${String(number)} volumes placed`);
  }
  const heapMib = (settledHeap() - before) / 1_048_576;
  const times: number[] = [];
  for (let number = 0; number < DECISIONS; number++) {
    const command = volumeCommand(VOLUMES + number);
    const from = performance.now();
    estate.decide(command);
    times.push(performance.now() - from);
  }
  const shape = `${String(NODES)} nodes × ${String(DEVICES)} devices, ${String(VOLUMES)} volumes`;
  return [
    { name: 'decision, p99', value: percentile(times, 0.99), unit: 'ms', limit: P99_MS, note: shape },
    { name: 'decision, median', value: median(times), unit: 'ms' },
    { name: 'memory of the fold', value: heapMib, unit: 'MiB', note: shape },
  ];
}

/** Heap in use after a collection where that can be asked for. */
function settledHeap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
