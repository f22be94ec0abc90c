// Asks: publishes commands of one publisher, at most once each, and gives each the answer of its receiver.

import { v7 as uuidv7 } from 'uuid';
import type { Channel } from '../channel/channel.ts';
import type { AnswerFields, AnswerSchemas } from '../channel/kinds.ts';
import { TickbusError } from '../errors.ts';
import type { Ending, PresenceWatch } from '../presence/presence-watch.ts';
import type { Published } from '../publish/batch.ts';
import type { PublishOptions } from '../publish/publish-options.ts';
import type { Clock } from '../runtime/clock.ts';
import { printable } from '../runtime/printable.ts';
import { timeout } from '../runtime/timeout.ts';
import type { SubscriberBase } from '../subscribe/subscriber-base.ts';
import { type AskOptions, checkedAsk } from './ask-options.ts';
import { PendingAsk } from './pending-ask.ts';

export interface AsksSettings {
  readonly clock: Clock;
  /** Throws if `publish` would reject the command as invalid. */
  readonly check: (channel: Channel, data: unknown, options: PublishOptions) => void;
  readonly publish: (channel: Channel, data: never, options: PublishOptions) => Promise<Published>;
  /** Creates a subscriber on the link of the answers. `Asks` closes it. */
  readonly newSubscriber: () => SubscriberBase;
  /** Who listens under a name, and who has ended. `Asks` closes it. Default: unknown. */
  readonly presence?: Pick<PresenceWatch, 'find' | 'onEnd' | 'close'> | undefined;
}

/** Milliseconds between two attempts to publish while it is unknown whether the command was published. */
const RETRY_MS = 250;
/** Milliseconds for an answer that was published before its bot has ended: it arrives on another channel. */
const LAST_ANSWER_MS = 50;

export class Asks {
  readonly #settings: AsksSettings;
  /** By the name of the channel of answers. Each listens from its first ask until `close`. */
  readonly #subscribers = new Map<string, SubscriberBase>();
  /** By the id of the command. */
  readonly #pending = new Map<string, PendingAsk>();
  #isClosed = false;

  constructor(settings: AsksSettings) {
    this.#settings = settings;
    if (settings.presence !== undefined) settings.presence.onEnd = (ending) => this.#onEnd(ending);
  }

  /** The shapes are checked by the caller's types, `checkedAsk` and `publish`. */
  async ask(channel: Channel, data: unknown, options: AskOptions<string, never>): Promise<AnswerFields> {
    const { clock } = this.#settings;
    const { answers, timeoutMs, expiresInMs } = checkedAsk(channel, options);
    if (this.#isClosed) throw new TickbusError('TICKBUS_CLOSED', IS_CLOSED);
    const { id = uuidv7({ msecs: clock.now() }), type = channel.defaultType } = options;
    const { onAccepted, onPublished } = options;
    if (this.#pending.has(id)) {
      const text = `The command ${printable(id)} was asked for already. Await that call, or omit \`id\`.`;
      throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field: 'id' });
    }
    const name = keyOf(channel, data);
    const receiver = name ?? channel.name;
    const onSettled = () => this.#pending.delete(id);
    const callbacks = { onAccepted, onPublished };
    const times = { timeoutMs, expiresInMs };
    const pending = new PendingAsk({
      clock,
      id,
      type,
      receiver,
      channel,
      answers,
      ...times,
      ...callbacks,
      onSettled,
    });
    this.#pending.set(id, pending);
    this.#send(pending, name, data, { ...options, id, type });
    return pending.answer;
  }

  /** Settles all asks, then ends the subscriptions. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const pending of this.#pending.values())
      pending.abort('TICKBUS_CLOSED', 'The publisher was closed before the answer arrived.');
    const subscribers = Array.from(this.#subscribers.values(), (subscriber) => subscriber.close());
    await Promise.all([...subscribers, this.#settings.presence?.close()]);
  }

  /** Never rejects: `pending` settles in every case. */
  async #send(
    pending: PendingAsk,
    name: string | undefined,
    data: unknown,
    { id, type, sender }: PublishOptions,
  ): Promise<void> {
    const { presence, publish, clock } = this.#settings;
    const { channel, answers } = pending;
    try {
      // The answer cannot be missed: its subscription listens before the command is published.
      const listening = this.#subscriberOf(answers).startListening();
      const finding = name === undefined ? undefined : presence?.find(name, channel);
      const [receiver] = await Promise.all([finding, listening]);
      pending.setReceivers(receiver?.instances ?? []);
      if (receiver?.isAbsent) {
        this.#settings.check(channel, data, { id, type, sender });
        if (receiver.isGone) pending.failGone();
        else
          pending.failAbsent(
            `Nobody named ${printable(pending.receiver)} listens to ${channel}: ${type} was not sent.`,
          );
      }
    } catch (error) {
      return pending.fail(error);
    }
    while (pending.state !== 'settled') {
      const isRetry = pending.state === 'unknown';
      pending.state = 'unknown';
      try {
        const options = { id, type, sender, expiresInMs: pending.expiresInMs };
        const published = await publish(channel, data as never, options);
        pending.onPublished(published);
        if (published.receivers > 0) return;
        const receiver = name === undefined ? undefined : await presence?.find(name, channel);
        return pending.failUnheard(receiver === undefined ? false : receiver.subscribes);
      } catch (error) {
        if (!mayRetry(error, isRetry)) return isRetry ? pending.failUnknown(error) : pending.fail(error);
      }
      await timeout(clock, RETRY_MS).promise;
    }
  }

  #onEnd(ending: Ending): void {
    const ended = [...this.#pending.values()].filter((pending) => pending.loses(ending));
    if (ended.length === 0) return;
    this.#settings.clock.after(LAST_ANSWER_MS, () => {
      for (const pending of ended) pending.endWith(ending.state);
    });
  }

  #subscriberOf(answers: Channel<AnswerSchemas>): SubscriberBase {
    let subscriber = this.#subscribers.get(answers.name);
    if (subscriber === undefined) {
      subscriber = this.#settings.newSubscriber();
      this.#subscribers.set(answers.name, subscriber);
      subscriber.subscribe(answers, ({ data }) => this.#pending.get(data.command_id)?.onAnswer(data), {
        where: ({ data }) => this.#pending.has(data.command_id),
      });
      subscriber.on('invalid_message', ({ preview, error }) => {
        for (const [id, pending] of this.#pending)
          if (preview.includes(JSON.stringify(id))) pending.onInvalidAnswer(error);
      });
      subscriber.on('status', (status) => {
        if (status.type === 'failed') this.#failSent(answers, status.error);
      });
    }
    return subscriber;
  }

  /** An ask that is not sent yet fails with the error of `startListening` instead. */
  #failSent(answers: Channel, error: TickbusError): void {
    const reason = `The link of the answers on ${answers} failed for good: ${error.message}`;
    for (const pending of this.#pending.values()) {
      if (pending.answers !== answers || pending.state === 'unsent') continue;
      pending.abort('TICKBUS_NO_ANSWER', reason, error);
    }
  }
}

const IS_CLOSED = 'This publisher was closed. Create a new one to ask again.';

/** After an attempt with an unknown outcome, the same id makes each further attempt safe. */
function mayRetry(error: unknown, isRetry: boolean): boolean {
  if (!(error instanceof TickbusError)) return false;
  return error.code === 'TICKBUS_OUTCOME_UNKNOWN' || (isRetry && error.retryable);
}

/** The receiver of a command that `publish` has not checked yet; undefined if the payload names none. */
function keyOf(channel: Channel, data: unknown): string | undefined {
  try {
    return channel.keyOf(data as Readonly<Record<string, unknown>>);
  } catch {
    // `publish` rejects the payload with the field.
    return undefined;
  }
}
