/** Told when this replica can reach neither the leader nor the log: what it says was true a moment ago. */
export const STALE_WARNING = {
  warning: '299 - "this replica has lost touch with the log: the answer may be a moment old"',
} as const;
