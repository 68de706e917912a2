/**
 * A conversation as plain text, for models that were never trained on chats. In: messages. Out: the text that the model
 * continues, and where its answer ends. A base model has no template of its own; this one reads like a printed dialogue:
 *
 *     <system text>
 *
 *     User: <question>
 *     Assistant: <answer>
 *     User: <question>
 *     Assistant:
 */

const roles = ["system", "developer", "user", "assistant"] as const;

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: (typeof roles)[number];
  readonly content: string;
}

/** What a message may be. */
export const ChatMessage = {
  roles,
  isRole: (value: unknown): value is ChatMessage["role"] => roles.some((role) => role === value),
} as const;

/** An answer ends where the next turn would begin. */
export const transcriptStops: readonly string[] = ["\nUser:", "\nAssistant:"];

/**
 * Writes a conversation down.
 *
 * @param messages system texts (or developer's, its new name) come first, whatever their place
 * @returns text that ends with `Assistant:`
 * @example
 * transcript([{ role: "user", content: "Hello" }]); // "User: Hello\nAssistant:"
 */
export function transcript(messages: readonly ChatMessage[]): string {
  const isSystem = ({ role }: ChatMessage): boolean => role === "system" || role === "developer";
  const head = messages.filter(isSystem).map(({ content }) => `${content.trim()}\n\n`);
  const turns = messages
    .filter((message) => !isSystem(message))
    .map(({ role, content }) => `${role === "user" ? "User" : "Assistant"}: ${content.trim()}\n`);
  return `${head.join("")}${turns.join("")}Assistant:`;
}
