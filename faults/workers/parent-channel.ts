// For worker scripts: their settings, and messages to and from the parent process.

type ParentMessage = Readonly<Record<string, unknown>>;

/** The settings that the parent passed to this process. */
export function workerSettings<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** Resolves when the message has been sent. */
export function sendToParent(type: string, message: ParentMessage = {}): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined)
      throw new Error('No parent process. Only a scenario can start this script: npm run faults.');
    process.send({ type, ...message }, () => resolve());
  });
}

/** Calls back with each message of this type. */
export function onRequest(type: string, handler: (message: ParentMessage) => unknown): void {
  process.on('message', (message: ParentMessage) => {
    if (message.type === type) handler(message);
  });
}
