/** Which options a volume should have, as far as the log knows. */
import type { Volume } from '../control/control.state';
import type { ExpectedOptions } from './drift.state';

/** Options that say whose volume it is. */
const OWNER_OPTIONS = ['user.brickyard.id', 'user.heketi.id'] as const;

function* optionsAskedFor({ spec }: Volume): Generator<readonly [key: string, value: string]> {
  for (const text of spec.options) {
    const [key = '', ...rest] = text.trim().split(/\s+/);
    if (key !== '' && key !== 'group') yield [key, rest.join(' ')];
  }
}

/** What Gluster told when the last operation on the volume was done; before that was recorded, what was asked for. */
export function expectedOptions(volume: Volume): ExpectedOptions {
  if (volume.gluster !== undefined) return volume.gluster;
  const owner = OWNER_OPTIONS.map((key) => [key, volume.volumeId] as const);
  return { options: Object.fromEntries([...optionsAskedFor(volume), ...owner]), isComplete: false };
}

/** The options with one of them as it was found; empty: not set. */
export function withOption({ options, isComplete }: ExpectedOptions, key: string, value: string): ExpectedOptions {
  const { [key]: _, ...others } = options;
  return { options: value === '' ? others : { ...others, [key]: value }, isComplete };
}
