// Something that tells its listeners, in the order in which they came.

export class Subject<T> {
  private readonly listeners = new Set<(told: T) => void>();

  listen(hear: (told: T) => void): () => void {
    this.listeners.add(hear);
    return () => {
      this.listeners.delete(hear);
    };
  }

  tell(what: T): void {
    for (const hear of this.listeners) hear(what);
  }
}
