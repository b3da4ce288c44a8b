/** Event sourcing without domain words: deciders, folds, sagas, persistent maps, the chain of hashes. */
export * from './decider';
export * from './fold';
export * from './persistent-map';
export * from './saga';
export * from './snapshot-part';
export * from './event-log';
export * from './canonical-json';
export * from './hash-chain';
export * from './checkpoint';
export * from './hand-over';
export type * from './tampering';
export * from './verify-ledger';
export * from './verify-checkpoints';
