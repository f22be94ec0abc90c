// Event emitter. If a listener throws, the error is reported and the other listeners still run.

/** Removes the listener or subscription. Calling it again does nothing. */
export type Unsubscribe = () => void;

type Listener<E> = (event: E) => void;

export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();
  readonly #onListenerError: (error: unknown, event: keyof Events) => void;

  constructor(onListenerError: (error: unknown, event: keyof Events) => void) {
    this.#onListenerError = onListenerError;
  }

  on<K extends keyof Events>(event: K, listener: Listener<Events[K]>): Unsubscribe {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    // The wrapper makes entries distinct: a function added twice is called twice and removed separately.
    const entry: Listener<Events[K]> = (value) => listener(value);
    listeners.add(entry);
    return () => listeners.delete(entry);
  }

  emit<K extends keyof Events>(event: K, value: Events[K]): void {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) return;
    for (const listener of [...listeners]) {
      try {
        (listener as Listener<Events[K]>)(value);
      } catch (error) {
        this.#onListenerError(error, event);
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
