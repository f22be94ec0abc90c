// What every worker script has: its settings, and messages to and from the process that started it.

type ParentMessage = Readonly<Record<string, unknown>>;

/** What the parent has given this process to begin with. */
export function workerSettings<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** Resolves when the message has left. */
export function sendToParent(type: string, message: ParentMessage = {}): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) throw new Error('This script is started by a scenario: npm run faults.');
    process.send({ type, ...message }, () => resolve());
  });
}

/** Calls back with each message of this type. */
export function onRequest(type: string, answer: (message: ParentMessage) => unknown): void {
  process.on('message', (message: ParentMessage) => {
    if (message.type === type) answer(message);
  });
}
