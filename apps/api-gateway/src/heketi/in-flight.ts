/** How many volume operations run at once, as heketi counts them. */
import type { ClientCommand } from '@brickyard/contracts';
import type { ClusterStateReader } from '../state/cluster-state.reader';
import { TextError } from './text-error';
import { countedOperationsOf } from './visible';

/** Refuses what is above the limit. What this gateway has sent counts until the state shows it. */
export class InFlightLimit {
  private readonly sent = new Set<{ visibleAt: number }>();

  constructor(
    private readonly reader: ClusterStateReader,
    /** Absent: any number. */
    private readonly limit: number | undefined,
  ) {}

  /** Takes a place for a command, or throws 429; the result tells where in the log the command ended up. */
  enter(command: ClientCommand): (visibleAt: number) => void {
    if (this.limit === undefined || !isCounted(command)) return () => undefined;
    for (const one of this.sent) if (one.visibleAt <= this.reader.position) this.sent.delete(one);
    if (countedOperationsOf(this.reader.current().state) + this.sent.size >= this.limit) {
      throw new TextError(429, 'Server busy. Retry operation later.');
    }
    const entry = { visibleAt: Number.MAX_SAFE_INTEGER };
    this.sent.add(entry);
    return (visibleAt) => {
      entry.visibleAt = visibleAt;
    };
  }
}

const COUNTED: ReadonlySet<ClientCommand['type']> = new Set([
  'CreateVolume',
  'ExpandVolume',
  'CloneVolume',
  'DeleteVolume',
  'SetBlockRestriction',
  'CreateBlockVolume',
  'ExpandBlockVolume',
  'DeleteBlockVolume',
  'EvictBrick',
]);

/** Whatever moves bricks: also the end of a device or node. */
const isCounted = (command: ClientCommand): boolean =>
  COUNTED.has(command.type) || ('state' in command && command.state === 'failed');
