// How the feed is, as it is told on FEED_STATUS: the feed's own state, but `silent` for a live one that says nothing.

import type { FeedStatus } from 'tickbus';
import type { FeedState } from '../feeds/feed.ts';
import { SilenceTimer } from './silence-timer.ts';

export interface FeedHealthOptions {
  /** Milliseconds without a frame after which a live feed is `silent`. */
  readonly silentAfterMs: number;
  /** Milliseconds without a frame after which `onEndlessSilence` is called, again and again; 0 for never. */
  readonly reconnectSilentMs: number;
  /** Whether anything need come at all. */
  readonly expectsFrames: () => boolean;
  /** A sentence says what has happened; `hasEnded` when the feed speaks again. */
  readonly onSilence: (sentence: string, hasEnded: boolean) => void;
  readonly onProlongedSilence: (sentence: string) => void;
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
  #lastFrame: { readonly at: number; readonly unixMs: number } | undefined;
  /** Since when nothing can have been missed, by the monotonic clock. */
  #liveSince: number | undefined;
  /** A sentence for the operator. */
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
    this.detail = undefined;
    this.#liveSince = state.type === 'live' ? performance.now() : undefined;
    this.#resetTimers();
  }

  /** A frame has come. */
  onFrame(): void {
    this.#lastFrame = { at: performance.now(), unixMs: Date.now() };
    this.#resetTimers();
    if (!this.#isSilent) return;
    // What it did not say meanwhile may be missing, so it counts as live from now on.
    this.#isSilent = false;
    this.#liveSince = performance.now();
    this.detail = undefined;
    this.#options.onSilence('The feed speaks again.', true);
  }

  describe(): HealthFields {
    const now = performance.now();
    return {
      state: this.#isSilent ? 'silent' : this.#state.type,
      ...(this.detail !== undefined && { detail: this.detail }),
      ...(this.#lastFrame && {
        last_frame_at: this.#lastFrame.unixMs,
        last_frame_ago_ms: now - this.#lastFrame.at,
      }),
      ...(this.#liveSince !== undefined && { live_for_ms: now - this.#liveSince }),
    };
  }

  #resetTimers(): void {
    this.#silence.reset();
    this.#prolongedSilence?.reset();
  }

  get #expectsFrames(): boolean {
    return this.#state.type === 'live' && this.#options.expectsFrames();
  }

  #onSilence(): void {
    if (!this.#expectsFrames || this.#isSilent) return;
    this.#isSilent = true;
    this.#liveSince = undefined;
    this.detail = `No frame has come for ${this.#options.silentAfterMs} ms.`;
    this.#options.onSilence(`The feed is silent. ${this.detail}`, false);
  }

  #onProlongedSilence(): void {
    const { reconnectSilentMs, onProlongedSilence } = this.#options;
    if (this.#expectsFrames) onProlongedSilence(`No frame has come for ${reconnectSilentMs} ms.`);
  }
}
