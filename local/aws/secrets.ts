import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import type { ConditionKeys } from '../iam-policy.ts';
import { ACCOUNT, REGION } from '../identity.ts';
import { type JsonService, type ServiceCall, ServiceError } from '../service.ts';

const Tag = z.object({ Key: z.string().min(1).max(128), Value: z.string().max(256) });
const Stored = z.object({
  ARN: z.string(),
  Name: z.string(),
  Description: z.string().optional(),
  Tags: z.array(Tag),
  /** Seconds. */
  CreatedDate: z.number(),
  LastChangedDate: z.number(),
  /** Set while the secret can still be restored. */
  DeletedDate: z.number().optional(),
  Versions: z.array(
    z.object({ VersionId: z.string(), Stages: z.array(z.string()), SecretString: z.string().optional() }),
  ),
});
type Secret = z.infer<typeof Stored>;

const Input = z.object({
  Name: z
    .string()
    .regex(/^[A-Za-z0-9/_+=.@-]{1,512}$/)
    .optional(),
  SecretId: z.string().optional(),
  SecretString: z.string().max(65_536).optional(),
  Description: z.string().optional(),
  Tags: z.array(Tag).default([]),
  TagKeys: z.array(z.string()).default([]),
  VersionId: z.string().optional(),
  VersionStage: z.string().optional(),
  ClientRequestToken: z.string().min(32).max(64).optional(),
  ForceDeleteWithoutRecovery: z.boolean().default(false),
  RecoveryWindowInDays: z.number().min(7).max(30).optional(),
});
type Input = z.infer<typeof Input>;

export type Secrets = JsonService & { conditions(call: ServiceCall): ConditionKeys };

/** Secrets Manager, its secrets in one file that only this user may read. */
export function createSecrets(file: string): Secrets {
  const secrets: Secret[] = existsSync(file) ? z.array(Stored).parse(JSON.parse(readFileSync(file, 'utf8'))) : [];
  const save = () => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, JSON.stringify(secrets), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  const find = (id: string | undefined) =>
    secrets.find(({ ARN, Name }) => id === ARN || id === Name || id === ARN.slice(0, -7));
  const get = (id: string | undefined, { deleted = false } = {}) => {
    const secret = find(id);
    if (secret === undefined) {
      throw new ServiceError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
    }
    if (secret.DeletedDate !== undefined && !deleted) {
      throw new ServiceError(
        'InvalidRequestException',
        "You can't perform this operation on the secret because it was marked for deletion.",
      );
    }
    return secret;
  };

  const verbs: Record<string, (input: Input) => unknown> = {
    CreateSecret(input) {
      if (input.Name === undefined) throw new ServiceError('InvalidParameterException', 'You must specify a Name.');
      const existing = find(input.Name);
      if (existing?.DeletedDate !== undefined) {
        throw new ServiceError(
          'InvalidRequestException',
          "You can't create this secret because a secret with this name is already scheduled for deletion.",
        );
      }
      if (existing !== undefined) {
        const same = existing.Versions.find(({ VersionId }) => VersionId === input.ClientRequestToken);
        if (same !== undefined && same.SecretString === input.SecretString) return named(existing, same.VersionId);
        throw new ServiceError(
          'ResourceExistsException',
          `The operation failed because the secret ${input.Name} already exists.`,
        );
      }
      const secret: Secret = {
        ARN: `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${input.Name}-${randomSuffix()}`,
        Name: input.Name,
        Description: input.Description,
        Tags: input.Tags,
        CreatedDate: seconds(),
        LastChangedDate: seconds(),
        Versions: [],
      };
      secrets.push(secret);
      return named(secret, input.SecretString === undefined ? undefined : putVersion(secret, input));
    },
    GetSecretValue(input) {
      const secret = get(input.SecretId);
      const stage = input.VersionStage ?? 'AWSCURRENT';
      const version = secret.Versions.find(({ VersionId, Stages }) =>
        input.VersionId === undefined ? Stages.includes(stage) : VersionId === input.VersionId,
      );
      if (version === undefined) {
        throw new ServiceError(
          'ResourceNotFoundException',
          `Secrets Manager can't find the specified secret value for staging label: ${stage}`,
        );
      }
      const { VersionId, Stages: VersionStages, SecretString } = version;
      return {
        ARN: secret.ARN,
        Name: secret.Name,
        VersionId,
        VersionStages,
        SecretString,
        CreatedDate: secret.LastChangedDate,
      };
    },
    PutSecretValue(input) {
      const secret = get(input.SecretId);
      const VersionId = putVersion(secret, input);
      return { ...named(secret, VersionId), VersionStages: ['AWSCURRENT'] };
    },
    UpdateSecret(input) {
      const secret = get(input.SecretId);
      if (input.Description !== undefined) secret.Description = input.Description;
      return named(secret, input.SecretString === undefined ? undefined : putVersion(secret, input));
    },
    DescribeSecret(input) {
      const { Versions, ...secret } = get(input.SecretId, { deleted: true });
      const VersionIdsToStages = Object.fromEntries(Versions.map(({ VersionId, Stages }) => [VersionId, Stages]));
      return { ...secret, VersionIdsToStages };
    },
    DeleteSecret(input) {
      if (input.ForceDeleteWithoutRecovery && input.RecoveryWindowInDays !== undefined) {
        throw new ServiceError(
          'InvalidParameterException',
          "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        );
      }
      const secret = input.ForceDeleteWithoutRecovery ? find(input.SecretId) : get(input.SecretId);
      const DeletionDate =
        seconds() + (input.ForceDeleteWithoutRecovery ? 0 : (input.RecoveryWindowInDays ?? 30) * 86_400);
      // "If you forcibly delete an already deleted or nonexistent secret, the operation does not return ResourceNotFoundException" (API reference).
      if (secret === undefined) return { Name: input.SecretId, DeletionDate };
      if (input.ForceDeleteWithoutRecovery) secrets.splice(secrets.indexOf(secret), 1);
      else secret.DeletedDate = DeletionDate;
      return { ARN: secret.ARN, Name: secret.Name, DeletionDate };
    },
    RestoreSecret(input) {
      const secret = get(input.SecretId, { deleted: true });
      secret.DeletedDate = undefined;
      return { ARN: secret.ARN, Name: secret.Name };
    },
    TagResource(input) {
      const secret = get(input.SecretId);
      const replaced = new Set(input.Tags.map(({ Key }) => Key));
      secret.Tags = [...secret.Tags.filter(({ Key }) => !replaced.has(Key)), ...input.Tags];
    },
    UntagResource(input) {
      const secret = get(input.SecretId);
      secret.Tags = secret.Tags.filter(({ Key }) => !input.TagKeys.includes(Key));
    },
  };

  return {
    target: 'secretsmanager',
    permissions({ action, input }) {
      const id = String(input.SecretId ?? input.Name ?? '*');
      const arn =
        find(id)?.ARN ??
        (id.startsWith('arn:') ? id : `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${id}-??????`);
      const permissions = [{ action: `secretsmanager:${action}`, resource: arn }];
      // "To add tags to a secret when you create it, you also need secretsmanager:TagResource" (API reference, CreateSecret).
      const tags = action === 'CreateSecret' && Array.isArray(input.Tags) && input.Tags.length > 0;
      return tags ? [...permissions, { action: 'secretsmanager:TagResource', resource: arn }] : permissions;
    },
    conditions({ input }) {
      const { Tags: requested = [], Name } = Input.safeParse(input).data ?? {};
      const secret = find(String(input.SecretId ?? input.Name));
      const keys: ConditionKeys = { 'aws:TagKeys': requested.map(({ Key }) => Key) };
      if (Name !== undefined) keys['secretsmanager:Name'] = Name;
      for (const { Key, Value } of requested) keys[`aws:RequestTag/${Key}`] = Value;
      for (const { Key, Value } of secret?.Tags ?? []) {
        keys[`aws:ResourceTag/${Key}`] = Value;
        keys[`secretsmanager:ResourceTag/${Key}`] = Value;
      }
      return keys;
    },
    async handle({ action, input }) {
      const verb = verbs[action];
      if (verb === undefined)
        throw new ServiceError('UnknownOperationException', `secretsmanager has no ${action} here`);
      const parsed = Input.safeParse(input);
      if (!parsed.success) throw new ServiceError('ValidationException', z.prettifyError(parsed.error));
      const output = verb(parsed.data);
      if (!action.startsWith('Get') && !action.startsWith('Describe')) save();
      return output;
    },
  };
}

function putVersion(secret: Secret, input: Input): string {
  const VersionId = input.ClientRequestToken ?? randomUUID();
  const existing = secret.Versions.find((version) => version.VersionId === VersionId);
  if (existing !== undefined) {
    if (existing.SecretString === input.SecretString) return VersionId;
    throw new ServiceError(
      'ResourceExistsException',
      "You can't use ClientRequestToken for a different value: a version with this id exists.",
    );
  }
  const current = secret.Versions.find(({ Stages }) => Stages.includes('AWSCURRENT'));
  const kept = current === undefined ? [] : [{ ...current, Stages: ['AWSPREVIOUS'] }];
  secret.Versions = [...kept, { VersionId, Stages: ['AWSCURRENT'], SecretString: input.SecretString }];
  secret.LastChangedDate = seconds();
  return VersionId;
}

const named = ({ ARN, Name }: Secret, VersionId?: string) => ({ ARN, Name, VersionId });
const seconds = () => Date.now() / 1000;

/** Secrets Manager ends each ARN with six random characters. */
function randomSuffix(): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  return Array.from(randomBytes(6), (byte) => letters[byte % letters.length]).join('');
}
