// What an exclusive writer learns about its channel when it claims or resumes the lease.

/** The head of the channel, as returned by the second script of a claim or a resume. */
export interface HeadSnapshot {
  readonly epoch: number;
  readonly seq: number;
  /** The last sequence number of each recent batch, indexed by `ordinal % MARK_COUNT`; empty in a new epoch. */
  readonly marks: readonly number[];
  readonly serverAt: number;
  /** The recorded number of partitions, if any. */
  readonly partitions?: number;
  /** See `LeaseAttempt`. */
  readonly replaced?: string;
}

/** How a past epoch ended. */
export interface PastEpoch extends Pick<HeadSnapshot, 'epoch' | 'seq' | 'marks'> {
  /** Whether the server had lost no data when the epoch ended. */
  readonly isKnown: boolean;
}
