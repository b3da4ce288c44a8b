/** What the gateway answers, as far as the page reads it. */

export interface DeviceLine {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly lifecycle: string;
  /** KiB. */
  readonly total: number;
  /** KiB. */
  readonly used: number;
  readonly bricks: number;
}

export interface NodeLine {
  readonly id: string;
  readonly cluster: string;
  readonly host: string;
  readonly zone: number;
  readonly state: string;
  readonly lifecycle: string;
  readonly lostSince?: string;
  readonly residue: number;
  readonly kind: 'real' | 'simulated' | 'unknown';
  readonly devices: readonly DeviceLine[];
}

export interface OperationLine {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly status: 'running' | 'done' | 'undone';
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly waitsFor?: string;
  readonly detail?: string;
}

export interface Overview {
  readonly position: number;
  readonly head: number;
  readonly time?: string;
  readonly problem?: string;
  readonly counts: Readonly<Record<'clusters' | 'nodes' | 'devices' | 'volumes' | 'running', number>>;
  readonly clusters: readonly { readonly id: string; readonly volumes: number }[];
  readonly nodes: readonly NodeLine[];
  readonly operations: readonly OperationLine[];
}

export interface VolumeLine {
  readonly id: string;
  readonly name: string;
  readonly cluster: string;
  readonly sizeKib: number;
  readonly durability: string;
  readonly status: string;
  readonly health: string;
  readonly bricks: number;
}

export interface VolumePage {
  readonly total: number;
  readonly offset: number;
  readonly volumes: readonly VolumeLine[];
}

export interface ExplainedDevice {
  readonly device: string;
  readonly name: string;
  readonly host: string;
  readonly zone: number;
  readonly total: number;
  readonly free: number;
  readonly rank?: number;
  readonly verdict: 'chosen' | 'refused' | 'not-needed';
  readonly brick?: string;
  readonly rule?: string;
  readonly why: string;
}

export interface ExplainedSet {
  readonly set: number;
  readonly order: string;
  readonly devices: readonly ExplainedDevice[];
  readonly notNeededMore: number;
  readonly passedOverMore: number;
}

export interface Placement {
  readonly position: number;
  readonly time: string;
  readonly type: string;
  readonly actor: { readonly name: string; readonly address?: string };
  readonly request?: { readonly method: string; readonly path: string };
  readonly traceId?: string;
  readonly attempts: readonly { readonly sets: number; readonly brickKib: number; readonly outcome: string }[];
  readonly sets: readonly ExplainedSet[];
  readonly unusable: readonly ExplainedDevice[];
}

export interface ExplainedVolume {
  readonly id: string;
  readonly name?: string;
  readonly status: string;
  readonly health?: string;
  readonly placements: readonly Placement[];
}

export interface StepTask {
  readonly id: string;
  readonly type: string;
  readonly host: string;
  readonly status: string;
  readonly tookMs?: number;
  readonly detail?: string;
}

export interface StepRun {
  readonly position: number;
  readonly startedAt: string;
  readonly tookMs?: number;
  readonly name: string;
  readonly direction: string;
  readonly attempt: number;
  readonly tasks: readonly StepTask[];
}

export interface ExplainedOperation {
  readonly id: string;
  readonly kind?: string;
  readonly subject?: string;
  readonly status?: string;
  readonly waitsFor?: string;
  readonly detail?: string;
  readonly next?: string;
  readonly trigger?: {
    readonly position: number;
    readonly time: string;
    readonly type: string;
    readonly actor: { readonly name: string; readonly address?: string };
    readonly request?: { readonly method: string; readonly path: string };
    readonly traceId?: string;
  };
  readonly steps: readonly StepRun[];
  readonly plan?: readonly { readonly number: number; readonly name: string; readonly status: string }[];
}
