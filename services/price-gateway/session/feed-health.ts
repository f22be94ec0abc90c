// The feed's health as published on FEED_STATUS: the feed's own state, or `silent` for a live feed without frames.

import type { FeedStatus } from 'tickbus';
import type { FeedState } from '../feeds/feed.ts';
import { SilenceTimer } from './silence-timer.ts';

export interface FeedHealthOptions {
  /** A live feed without a frame for this long, in milliseconds, is `silent`. */
  readonly silentAfterMs: number;
  /** Milliseconds without a frame after which `onProlongedSilence` is called, repeatedly; 0 disables the calls. */
  readonly reconnectSilentMs: number;
  /** Returns false while no instrument is requested, because silence is normal then. */
  readonly expectsFrames: () => boolean;
  /** `hasEnded` is true when frames arrive again. `reason` is a sentence for the log. */
  readonly onSilence: (reason: string, hasEnded: boolean) => void;
  readonly onProlongedSilence: (reason: string) => void;
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
    this.detail = undefined;
    this.#liveSince = state.type === 'live' ? performance.now() : undefined;
    this.#resetTimers();
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
    this.#options.onSilence('The feed is live again.', true);
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
    this.detail = `No frame received for ${this.#options.silentAfterMs} ms.`;
    this.#options.onSilence(`The feed is silent. ${this.detail}`, false);
  }

  #onProlongedSilence(): void {
    const { reconnectSilentMs, onProlongedSilence } = this.#options;
    if (this.#expectsFrames) onProlongedSilence(`No frame received for ${reconnectSilentMs} ms.`);
  }
}
