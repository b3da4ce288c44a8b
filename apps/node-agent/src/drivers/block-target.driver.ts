import type { BlockFile, BlockTarget, Outcome } from '@brickyard/contracts';

/** One block volume that this host is to offer. */
export interface TargetState {
  readonly blockVolumeId: string;
  readonly isOffered: boolean;
  /** Set when it is not offered. */
  readonly problem?: string;
}

/** Offers files on hosting volumes as block volumes over iSCSI. Every `ensure` converges: calling it again changes nothing. */
export interface BlockTargetDriver {
  /** The file exists and is at least so large; what it holds stays. */
  ensureFile(file: BlockFile): Promise<Outcome>;
  /** The file is at least so large; refused when it does not exist. Never makes one smaller. */
  ensureGrown(file: BlockFile): Promise<Outcome>;
  ensureNoFile(file: BlockFile): Promise<Outcome>;
  /** Whether the file exists and is at least so large. */
  readFile(file: BlockFile): Promise<Outcome>;
  /**
   * This host offers the file with the size it has, from now on and after every restart. With CHAP only to who knows the
   * secret, which is remembered on this host; refused when it is neither given nor remembered, and when the file is missing.
   */
  ensureExported(target: BlockTarget, secret: string | undefined): Promise<Outcome>;
  ensureNotExported(target: BlockTarget): Promise<Outcome>;
  /** Whether this host offers it. */
  readTarget(target: BlockTarget): Promise<Outcome>;
  /** After a restart of host, agent or daemon: offers again what is to be offered, and tells what it could not. */
  ensureServing(): Promise<readonly TargetState[]>;
}
