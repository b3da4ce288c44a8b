/** What is decided: pure. State, folds, decisions, placement, sagas. */
export * from './control/control.state';
export * from './control/control.evolve';
export * from './operation/operation.state';
export * from './control/control.decide';
export { planEvacuation } from './evacuation/plan-evacuation';
export type {
  EvacuationPlanned,
  EvacuationRefusal,
  EvacuationRequest,
  EvacuationSubject,
  PlannedMove,
} from './evacuation/evacuation.types';
export { sagas } from './operation/sagas/registry';
export { FOLD_VERSION, decodeSnapshot, encodeSnapshot, snapshotParts } from './control/snapshot';
export { withBricksGivenBack } from './control/volume.folds';
export { newEvent, recordedEvent } from './control/control.codec';
export { evolveStored } from './control/control.evolve';
export * from './block/block-volumes';
export * from './look/explain-placement';
export * from './look/outlook';
export * from './look/what-if';
export { planRebuild, type RebuildPlan, type Remark } from './rebuild/plan-rebuild';
export type { Drift, HostReport } from './drift/drift.state';
export { driftIdOf, driftsWithoutSubject, judgeHost, type Verdict } from './drift/judge-host';
export { isTrivial, proposalsFor, type Proposal, type Proposals } from './drift/reconcile';
export { planImport, type AdoptCommand, type ImportPlan, type SeenVolume } from './adoption/from-heketi';
export { compareWithHosts, volumesSeen } from './adoption/compare-hosts';
export { planAdoption, type AdoptionFacts, type PoolPlan } from './adoption/from-gluster';
export type { KnownNode } from './adoption/gluster-pools';
