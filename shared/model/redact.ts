/**
 * Takes user and password out of every URL in a text: what somebody mistyped may hold a connection string. The example that
 * our own messages give stays.
 */
export const withoutPasswords = (text: string): string => text.replace(/:\/\/(?!user:password@host:)\S*@/g, '://…@');
