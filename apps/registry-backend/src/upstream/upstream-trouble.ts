/** Why another registry cannot be asked, or cannot be believed. */

/**
 * `away`: it does not answer, or not as it should; `slow`: not in time; `limited`: it asks to be left alone for a while;
 * `denied`: it wants other credentials; `unusable`: what it sends is not what it should be.
 */
export type TroubleKind = 'away' | 'slow' | 'limited' | 'denied' | 'unusable';

/** The message names the upstream and what it did; never a header, a token or a query. */
export class UpstreamTrouble extends Error {
  override readonly name = 'UpstreamTrouble';
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly kind: TroubleKind,
    message: string,
    { retryAfterMs, cause }: { readonly retryAfterMs?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.retryAfterMs = retryAfterMs;
  }
}
