/** What the registry decides and folds: its facts, apart from the control plane's. */
export { garbageIn, type Garbage } from './garbage';
export { newRegistryEvent, registryEventFrom, type FoldableEvent } from './registry.codec';
export { decideRegistry, fact, tagsOf, type RegistryDecision, type RegistryMoment } from './registry.decide';
export { evolveRegistry, evolveStoredRegistry } from './registry.evolve';
export { decodeRegistrySnapshot, encodeRegistrySnapshot, REGISTRY_FOLD_VERSION } from './registry.snapshot';
export {
  emptyRegistryState,
  type Blob,
  type Manifest,
  type RegistryState,
  type Repository,
  type TagTarget,
  type Upload,
} from './registry.state';
