// The subscribers and publishers of one connection with one name: together they are one participant.

import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { checkType } from '../runtime/option-checks.ts';
import { printable } from '../runtime/printable.ts';
import type { Connection } from '../transport/port.ts';
import { Participant, type UsedChannels } from './participant.ts';

/** The options of a subscriber or publisher that concern its presence. */
export interface PresenceOptions {
  /**
   * The name under which others see this program on `CHANNELS.PRESENCE`: 1 to 128 characters, as in `momentum`. The
   * subscribers and publishers of one connection with one name are one participant. Default: none, and no presence.
   */
  name?: string | undefined;
  /**
   * Whether to refuse to start while another program has the `name`: connecting rejects with `TICKBUS_NAME_TAKEN`,
   * after 2.5 s, because the predecessor may have crashed. If another takes the name later, while this program hangs or
   * its link is down, it gets the status `name_taken`. Default false: programs of one name differ by `instance`.
   */
  uniqueName?: boolean | undefined;
}

export interface Surroundings {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One subscriber or publisher of a participant. */
export class Membership {
  readonly #group: Group;
  readonly isUnique: boolean;
  subscribes: ReadonlySet<string> = new Set();
  publishes: ReadonlySet<string> = new Set();
  /** Called if another program has taken the name while this one was not seen. See `uniqueName`. */
  onNameTaken: (error: TickbusError) => void = () => {};

  constructor(group: Group, isUnique: boolean) {
    this.#group = group;
    this.isUnique = isUnique;
    group.members.add(this);
  }

  /** Whether others can see that it is there. */
  get isSeen(): boolean {
    return this.#group.participant.isSeen;
  }

  get instance(): string {
    return this.#group.participant.instance;
  }

  /** Called when it has connected. @throws TickbusError as `Participant.start`, only with `uniqueName` */
  start(): Promise<void> {
    return this.#group.start();
  }

  /** Called when a subscriber begins or ends to use a channel. */
  setSubscribed(names: Iterable<string>): void {
    this.subscribes = new Set(names);
    this.#group.update();
  }

  /** Called when a publisher uses a channel for the first time. The lease holder of a channel connects by itself. */
  addPublished(name: string): void {
    this.publishes = new Set([...this.publishes, name]);
    this.#group.update();
    this.start().catch(() => {});
  }

  /** Ends the participant with its last member. */
  leave(): Promise<void> {
    return this.#group.remove(this);
  }
}

/**
 * Adds a member to the participant of this connection and name. Undefined without a name.
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION`
 */
export function memberOf(surroundings: Surroundings, options: PresenceOptions): Membership | undefined {
  const { name, uniqueName = false } = options;
  checkType('name', name, 'string');
  checkType('uniqueName', uniqueName, 'boolean');
  if (name === undefined) {
    if (uniqueName) throw invalidName('uniqueName', 'uniqueName needs a `name`. Give one.');
    return undefined;
  }
  if (!/^[^\p{Cc}\p{Cs}]{1,128}$/u.test(name))
    throw invalidName(
      'name',
      `The name "${printable(name, 64)}" is invalid. Use 1 to 128 characters, none of them a control character.`,
    );
  return new Membership(groupOf(surroundings, name), uniqueName);
}

/** The members of one participant. */
class Group {
  readonly members = new Set<Membership>();
  readonly participant: Participant;
  readonly #onEmpty: () => void;

  constructor(participant: Participant, onEmpty: () => void) {
    this.participant = participant;
    this.#onEmpty = onEmpty;
  }

  /** The participant has the name for itself if one of its members asks for that. */
  start(): Promise<void> {
    return this.participant.start([...this.members].some(({ isUnique }) => isUnique));
  }

  update(): void {
    const all = [...this.members];
    const used: UsedChannels = {
      subscribes: new Set(all.flatMap(({ subscribes }) => [...subscribes])),
      publishes: new Set(all.flatMap(({ publishes }) => [...publishes])),
    };
    this.participant.setChannels(used);
  }

  async remove(member: Membership): Promise<void> {
    if (!this.members.delete(member)) return;
    if (this.members.size > 0) return this.update();
    this.#onEmpty();
    await this.participant.close();
  }
}

const groups = new WeakMap<Connection, Map<string, Group>>();

function groupOf({ connection, clock, logger }: Surroundings, name: string): Group {
  const ofConnection = groups.get(connection) ?? new Map<string, Group>();
  groups.set(connection, ofConnection);
  const known = ofConnection.get(name);
  if (known !== undefined) return known;
  const transport = connection.publishing;
  const onNameTaken = (error: TickbusError) => {
    for (const member of group.members) member.onNameTaken(error);
  };
  const participant = new Participant({ transport, name, clock, logger, onNameTaken });
  const group = new Group(participant, () => ofConnection.delete(name));
  ofConnection.set(name, group);
  return group;
}

function invalidName(field: string, text: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', text, { field });
}
