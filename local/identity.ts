/** The account and region that the local cloud pretends to be: the account is one that AWS never hands out. */
export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';
