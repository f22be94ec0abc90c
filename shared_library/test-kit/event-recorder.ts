// Records events that a test can await.

/** Keeps every item in order. Pass `recorder.add` as the listener. */
export class EventRecorder<T> {
  readonly items: T[] = [];
  #waiting: (() => void)[] = [];

  readonly add = (item: T): void => {
    this.items.push(item);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  };

  /** Resolves with the first item that matches, including items recorded before the call. */
  async first(matches: (item: T) => boolean): Promise<T> {
    for (;;) {
      const found = this.items.find(matches);
      if (found !== undefined) return found;
      await this.#nextItem();
    }
  }

  /** Resolves with all items once there are at least `count`. */
  async reaches(count: number): Promise<readonly T[]> {
    while (this.items.length < count) await this.#nextItem();
    return this.items;
  }

  #nextItem(): Promise<void> {
    return new Promise((resume) => this.#waiting.push(resume));
  }
}
