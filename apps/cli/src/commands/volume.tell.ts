/** How a volume is told. */
import type { ApiAnswer } from '@brickyard/service-host/client';
import { durabilityIn, Volume } from '../answers';
import { parseAnswer, type Context } from '../context';
import { volumeText } from '../heketi/texts';
import { humanKib } from '../sizes';
import { tellAccepted } from './act';

/** The durability as one word: `replicate 3`, `disperse 4+2`. */
export function durabilityText(durability: unknown): string {
  const { type, replicate, disperse } = durabilityIn(durability);
  if (type === 'replicate') return `replicate ${String(replicate.replica === 0 ? 2 : replicate.replica)}`;
  return type === 'disperse' ? `disperse ${String(disperse.data)}+${String(disperse.redundancy)}` : 'none';
}

function infoLines(context: Context, volume: Volume): string[] {
  const { glusterfs } = volume.mount;
  const backup = glusterfs.options['backup-volfile-servers'] ?? '';
  const options = volume.glustervolumeoptions.filter((option) => option !== '');
  return [
    `Volume ${volume.id}`,
    `  name          ${volume.name}`,
    `  size          ${String(volume.size)} GiB`,
    `  durability    ${durabilityText(volume.durability)}`,
    `  cluster       ${volume.cluster}`,
    `  mount         ${glusterfs.device}`,
    ...(backup === '' ? [] : [`  backup        ${backup}`]),
    ...(volume.snapshot.enable ? [`  snapshots     factor ${String(volume.snapshot.factor)}`] : []),
    ...options.map((option) => `  option        ${option}`),
    '',
    ...context.table(
      ['BRICK', 'NODE', 'DEVICE', 'SIZE'],
      volume.bricks.map(({ id, node, device, size }) => [id, node, device, humanKib(size)]),
    ),
  ];
}

/** Tells the volume, or where its operation can be watched when nobody waits for it. */
export function tellVolume(context: Context, answer: ApiAnswer): void {
  if (answer.status === 202) {
    tellAccepted(context, answer);
    return;
  }
  const volume = parseAnswer(Volume, answer);
  context.tell({ data: answer.body, lines: () => infoLines(context, volume), heketi: () => volumeText(volume) });
}
