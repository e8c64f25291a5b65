/** A map that forgets what was used longest ago: it holds at least the last `size` entries set or found, and at most twice as many. */
export class Recent<K, V> {
  readonly #size: number;
  #entries = new Map<K, V>();
  #older = new Map<K, V>();

  constructor(size: number) {
    this.#size = size;
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) return value;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: K, value: V): void {
    if (this.#entries.size >= this.#size) {
      this.#older = this.#entries;
      this.#entries = new Map();
    }
    this.#entries.set(key, value);
  }

  delete(key: K): void {
    this.#entries.delete(key);
    this.#older.delete(key);
  }
}
