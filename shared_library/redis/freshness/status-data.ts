// The payloads of gateway statuses, as this folder reads them. Their schemas are in `channel/schemas/`.

export interface FeedStatusData {
  readonly feed: string;
  readonly state: string;
  readonly detail?: string;
  readonly channel?: string;
  readonly lease?: number;
  readonly interval_ms?: number;
  readonly last_frame_ago_ms?: number;
  readonly live_for_ms?: number;
  readonly reports_instruments?: boolean;
}

export interface InstrumentStatusData {
  readonly symbol: string;
  readonly state: string;
  readonly market?: string;
  readonly state_for_ms?: number;
  readonly limit_down?: number;
  readonly limit_up?: number;
  readonly detail?: string;
  readonly feed: string;
  readonly channel?: string;
  readonly lease?: number;
}
