/** A map that forgets what was set longest ago: it holds at least the last `size` entries set, and at most twice as many. */
export class Recent<K, V> {
  readonly #size: number;
  #entries = new Map<K, V>();
  #older = new Map<K, V>();

  constructor(size: number) {
    this.#size = size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key) ?? this.#older.get(key);
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
