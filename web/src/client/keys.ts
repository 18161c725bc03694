// Idempotency keys: one for each thing that somebody means to do, kept for as long as it is the same thing.

// #region keys
export class Intention {
  private meant = "";
  private key = "";

  /** The same key for the same input, so that sending again after a lost answer does nothing twice. */
  keyFor(input: unknown): string {
    const meant = JSON.stringify(input);
    if (meant !== this.meant) {
      this.meant = meant;
      this.key = randomKey();
    }
    return this.key;
  }

  /** It was done: whatever comes next is something new. */
  done(): void {
    this.meant = "";
  }
}

function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
// #endregion
