/** What an AudioWorkletGlobalScope has, which TypeScript's library doesn't know. */

declare const currentFrame: number;

declare class AudioWorkletProcessor {
  constructor(options?: unknown);
  readonly port: MessagePort;
}

declare function registerProcessor(name: string, processor: new (options: any) => AudioWorkletProcessor): void;
