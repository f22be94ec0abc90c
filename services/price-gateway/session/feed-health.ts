// The feed's health as published on FEED_STATUS: the feed's own state, or for a live feed `silent` without frames, and
// `degraded` or `down` if its frames cannot be understood.

import type { FeedStatus } from 'tickbus';
import type { FeedState } from '../feeds/feed.ts';
import { DroppedSymbols } from './dropped-symbols.ts';
import { DEGRADED_SHARE, FrameQuality, type QualityProblem } from './frame-quality.ts';
import { SilenceTimer } from './silence-timer.ts';

export interface FeedHealthOptions {
  /** A live feed without a frame for this long, in milliseconds, is `silent`. */
  readonly silentAfterMs: number;
  /** Milliseconds without a frame after which `onProlongedSilence` is called, repeatedly; 0 disables the calls. */
  readonly reconnectSilentMs: number;
  /** The number of requested instruments. While it is 0, silence is normal. */
  readonly requestedCount: () => number;
  /**
   * The feed is silent, degraded or down; `hasEnded` is true when it is live again. `reason` is a sentence for the log.
   */
  readonly onChange: (reason: string, hasEnded: boolean) => void;
  readonly onProlongedSilence: (reason: string) => void;
  /** The instruments of which the venue sends frames that are not understood, each with the reason. */
  readonly onDropped: (symbols: ReadonlyMap<string, string>) => void;
}

type HealthFields = Pick<
  FeedStatus,
  'state' | 'detail' | 'last_frame_at' | 'last_frame_ago_ms' | 'live_for_ms'
>;

export class FeedHealth {
  readonly #options: FeedHealthOptions;
  readonly #silence: SilenceTimer;
  readonly #prolongedSilence: SilenceTimer | undefined;
  #state: FeedState = { type: 'connecting' };
  #isSilent = false;
  readonly #quality = new FrameQuality();
  readonly #dropped = new DroppedSymbols();
  /** About instruments that are dropped, but too few to call the feed degraded. */
  #droppedDetail: string | undefined;
  #problem: QualityProblem | undefined;
  #lastFrame: { readonly at: number; readonly unixMs: number } | undefined;
  /** Monotonic time at which the feed became live, or live again after a silence; undefined while it is not live. */
  #liveSince: number | undefined;
  /** A sentence for the operator about the current state. */
  detail: string | undefined;

  constructor(options: FeedHealthOptions) {
    this.#options = options;
    this.#silence = new SilenceTimer(options.silentAfterMs, () => this.#onSilence());
    if (options.reconnectSilentMs > 0)
      this.#prolongedSilence = new SilenceTimer(options.reconnectSilentMs, () => this.#onProlongedSilence());
  }

  get state(): FeedState {
    return this.#state;
  }

  /** Milliseconds since the broker's last frame; undefined before the first. */
  get quietForMs(): number | undefined {
    return this.#lastFrame && performance.now() - this.#lastFrame.at;
  }

  start(): void {
    this.#silence.start();
    this.#prolongedSilence?.start();
  }

  stop(): void {
    this.detail = undefined;
    this.#liveSince = undefined;
    this.#silence.stop();
    this.#prolongedSilence?.stop();
  }

  setState(state: FeedState): void {
    this.#state = state;
    this.#isSilent = false;
    this.#quality.reset();
    this.#dropped.reset();
    this.#problem = undefined;
    this.#droppedDetail = undefined;
    this.detail = undefined;
    this.#liveSince = state.type === 'live' ? performance.now() : undefined;
    this.#resetTimers();
  }

  /** An event was valid, whether or not it yielded a price. */
  onUnderstood(symbol: string): void {
    this.#quality.good();
    this.#dropped.understood(symbol);
  }

  /**
   * A frame, or an event, was dropped because it cannot be understood.
   *
   * @param reason a sentence
   * @param symbols the requested instruments that it names
   */
  onInvalid(reason: string, symbols: readonly string[] = []): void {
    this.#quality.bad(reason);
    this.#dropped.add(symbols, reason);
  }

  /** Called periodically. Detects that the feed is not understood any more, or is again. */
  check(): void {
    const before = this.#problem;
    this.#problem = this.#state.type === 'live' ? this.#findProblem() : undefined;
    if (before?.state === this.#problem?.state) return;
    if (this.#problem !== undefined) {
      this.#liveSince = undefined;
      return this.#options.onChange(`The feed is ${this.#problem.state}. ${this.#problem.detail}`, false);
    }
    // Prices may have been lost, so `live_for_ms` starts again at 0.
    this.#liveSince = performance.now();
    this.#options.onChange('The messages of the feed are valid again.', true);
  }

  /** A frame with prices: only these confirm that earlier prices are still true. */
  onFrame(): void {
    this.#lastFrame = { at: performance.now(), unixMs: Date.now() };
    this.onHeartbeat();
  }

  /** A frame without prices. The connection is alive, so the feed is not silent. */
  onHeartbeat(): void {
    this.#resetTimers();
    if (!this.#isSilent) return;
    // Frames may have been lost during the silence, so `live_for_ms` starts again at 0.
    this.#isSilent = false;
    this.#liveSince = performance.now();
    this.detail = undefined;
    this.#options.onChange('The feed is live again.', true);
  }

  describe(): HealthFields {
    const now = performance.now();
    const detail = this.#problem?.detail ?? this.detail ?? this.#droppedDetail;
    return {
      state: this.#problem?.state ?? (this.#isSilent ? 'silent' : this.#state.type),
      ...(detail !== undefined && { detail }),
      ...(this.#lastFrame && {
        last_frame_at: this.#lastFrame.unixMs,
        last_frame_ago_ms: now - this.#lastFrame.at,
      }),
      ...(this.#liveSince !== undefined && { live_for_ms: now - this.#liveSince }),
    };
  }

  /** The share of the frames, or of the instruments, that cannot be understood. */
  #findProblem(): QualityProblem | undefined {
    const { requestedCount, onDropped } = this.#options;
    const dropped = this.#dropped.list();
    onDropped(dropped);
    this.#droppedDetail = describeDropped(dropped);
    const problem = this.#quality.problem();
    const isMany = dropped.size >= DEGRADED_SHARE * requestedCount();
    if (problem !== undefined || this.#droppedDetail === undefined || !isMany) return problem;
    return { state: 'degraded', detail: this.#droppedDetail };
  }

  #resetTimers(): void {
    this.#silence.reset();
    this.#prolongedSilence?.reset();
  }

  get #expectsFrames(): boolean {
    return this.#state.type === 'live' && this.#options.requestedCount() > 0;
  }

  #onSilence(): void {
    if (!this.#expectsFrames || this.#isSilent) return;
    this.#isSilent = true;
    this.#liveSince = undefined;
    this.detail = `No frame received for ${this.#options.silentAfterMs} ms.`;
    this.#options.onChange(`The feed is silent. ${this.detail}`, false);
  }

  #onProlongedSilence(): void {
    const { reconnectSilentMs, onProlongedSilence } = this.#options;
    if (this.#expectsFrames) onProlongedSilence(`No frame received for ${reconnectSilentMs} ms.`);
  }
}

function describeDropped(dropped: ReadonlyMap<string, string>): string | undefined {
  const [first] = dropped;
  if (first === undefined) return undefined;
  const [symbol, reason] = first;
  const others = dropped.size === 1 ? '' : ` and ${dropped.size - 1} other instruments`;
  return `The feed's messages about ${symbol}${others} cannot be understood: ${reason}`;
}
