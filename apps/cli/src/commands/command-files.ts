/** Which file makes which commands. Only what a command line names is read: reading all of them takes longer than most commands. */
import type { Command } from 'commander';
import type { Shell } from './act';
import type * as Topology from './topology.command';
import type * as Cluster from './cluster.command';
import type * as Node from './node.command';
import type * as Device from './device.command';
import type * as Volume from './volume.command';
import type * as Blockvolume from './blockvolume.command';
import type * as Server from './server.command';
import type * as Kubernetes from './kubernetes.command';
import type * as Look from './look.command';
import type * as Drift from './drift.command';
import type * as Import from './import.command';
import type * as Explain from './explain.command';
import type * as Adopt from './adopt.command';
import type * as Audit from './audit.command';
import type * as Backup from './backup.command';
import type * as Rebuild from './rebuild.command';
import type * as Registry from './registry.command';
import type * as Preflight from './preflight.command';
import type * as Completion from './completion.command';
import type * as Site from './site.command';

/** Adds commands to the program. */
type Add = (program: Command, shell: Shell) => void;

/** A file of commands. */
export interface CommandFile {
  /** The words its commands begin with, other names included. */
  readonly words: readonly string[];
  read(): Add;
}

/* eslint-disable @typescript-eslint/no-require-imports -- read when called, and at once: import() would take ES modules */
/** In the order in which help shows them. */
export const COMMAND_FILES: readonly CommandFile[] = [
  { words: ['topology'], read: () => (require('./topology.command') as typeof Topology).topologyCommands },
  { words: ['cluster'], read: () => (require('./cluster.command') as typeof Cluster).clusterCommands },
  { words: ['node'], read: () => (require('./node.command') as typeof Node).nodeCommands },
  { words: ['device'], read: () => (require('./device.command') as typeof Device).deviceCommands },
  { words: ['volume'], read: () => (require('./volume.command') as typeof Volume).volumeCommands },
  { words: ['blockvolume'], read: () => (require('./blockvolume.command') as typeof Blockvolume).blockVolumeCommands },
  {
    words: ['loglevel', 'server', 'db', 'brick'],
    read: () => (require('./server.command') as typeof Server).serverCommands,
  },
  {
    words: ['setup-openshift-heketi-storage', 'setup-heketi-db-storage', 'setup-kubernetes-heketi-storage'],
    read: () => (require('./kubernetes.command') as typeof Kubernetes).kubernetesCommands,
  },
  {
    words: ['operation', 'history', 'diff', 'status'],
    read: () => (require('./look.command') as typeof Look).lookCommands,
  },
  { words: ['drift'], read: () => (require('./drift.command') as typeof Drift).driftCommands },
  { words: ['import', 'export'], read: () => (require('./import.command') as typeof Import).importCommands },
  { words: ['adopt'], read: () => (require('./adopt.command') as typeof Adopt).adoptCommand },
  {
    words: ['explain', 'events', 'what-if'],
    read: () => (require('./explain.command') as typeof Explain).explainCommands,
  },
  { words: ['audit'], read: () => (require('./audit.command') as typeof Audit).auditCommands },
  { words: ['backup', 'restore'], read: () => (require('./backup.command') as typeof Backup).backupCommands },
  { words: ['rebuild'], read: () => (require('./rebuild.command') as typeof Rebuild).rebuildCommand },
  { words: ['registry'], read: () => (require('./registry.command') as typeof Registry).registryCommands },
  { words: ['preflight'], read: () => (require('./preflight.command') as typeof Preflight).preflightCommand },
  { words: ['completion'], read: () => (require('./completion.command') as typeof Completion).completionCommand },
  { words: ['site'], read: () => (require('./site.command') as typeof Site).siteCommands },
];
/* eslint-enable @typescript-eslint/no-require-imports */

/** Tells of all commands, so it has to know all of them. */
const ALL = 'completion';

/** The files a command line may need; all where it names none, so that help and suggestions are whole. */
export function filesFor(argv: readonly string[]): readonly CommandFile[] {
  const named = COMMAND_FILES.filter(({ words }) => words.some((word) => argv.includes(word)));
  return named.length === 0 || argv.includes(ALL) ? COMMAND_FILES : named;
}
