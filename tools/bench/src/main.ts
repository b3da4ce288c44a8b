/** `npm run bench [name …]`: prints each figure with its limit; exits with 1 when a limit is missed. */
import { benchAudit } from './audit.bench';
import { benchConsole } from './console.bench';
import { benchDecision } from './decision.bench';
import { benchHeketi } from './heketi.bench';
import { benchReal } from './real.bench';
import { benchRegistry, benchRegistryOnGluster } from './registry.bench';
import { benchRegistryStart } from './registry-start.bench';
import { isKept, line, type Figure } from './report';
import { benchSimulated } from './simulated.bench';
import { benchStart } from './start.bench';

const benches: Readonly<
  Record<string, (say: (text: string) => void) => readonly Figure[] | Promise<readonly Figure[]>>
> = {
  decision: benchDecision,
  start: benchStart,
  audit: benchAudit,
  simulated: benchSimulated,
  console: benchConsole,
  heketi: benchHeketi,
  real: benchReal,
  'registry-start': benchRegistryStart,
  registry: benchRegistry,
  'registry-on-gluster': benchRegistryOnGluster,
};

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function main(wanted: readonly string[]): Promise<void> {
  const unknown = wanted.find((name) => !(name in benches));
  if (unknown !== undefined) {
    process.stderr.write(`bench: there is no "${unknown}"; choose from ${Object.keys(benches).join(', ')}\n`);
    process.exitCode = 2;
    return;
  }
  const figures: Figure[] = [];
  for (const [name, bench] of Object.entries(benches)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    say(`${name}:`);
    const found = await bench(say);
    for (const figure of found) say(`  ${line(figure)}`);
    figures.push(...found);
  }
  const missed = figures.filter((figure) => !isKept(figure));
  say(missed.length === 0 ? 'every limit kept' : `${String(missed.length)} limits missed`);
  process.exitCode = missed.length === 0 ? 0 : 1;
}

void main(process.argv.slice(2));
