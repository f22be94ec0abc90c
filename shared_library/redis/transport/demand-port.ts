// The part of the port that declares and reads which keys subscribers request.

/** The keys of a channel that subscribers request. Its gateway subscribes to them upstream. */
export interface DemandOperations {
  /**
   * Requests keys for `ttlMs`. Call it again before that time ends. `subscriberId` must not contain line breaks. Any
   * number of keys can be given: they are sent in chunks.
   *
   * @throws TickbusError `TICKBUS_LIMIT_EXCEEDED` if the channel has `MAX_DEMAND` requests. Existing requests are
   *   renewed, so that older subscribers keep them. New requests are declined.
   */
  declare(subscriberId: string, keys: readonly string[], ttlMs: number): Promise<void>;
  withdraw(subscriberId: string, keys: readonly string[]): Promise<void>;
  /**
   * The number of subscribers that request each key now. The requests are read in chunks, so one that is made or
   * withdrawn during the read may or may not be counted.
   *
   * @throws TickbusError `TICKBUS_LIMIT_EXCEEDED` if the server has far more than `MAX_DEMAND` requests, which only a
   *   client without this library can store
   */
  wanted(): Promise<ReadonlyMap<string, number>>;
}
