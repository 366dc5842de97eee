import { randomBytes } from 'node:crypto';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { errors } from '../model/errors.ts';

/** Begins the names of the secrets that jobs own: the only ones that the control side may make and delete. */
export const OWN_SECRETS = 'redshift-loader/';
/** Whoever gives a secret this tag lets the source side read it. */
export const SECRET_TAG = 'redshift-loader';

/** Secrets as the control side knows them: it makes and deletes those of jobs, and can read none. */
export class SourceSecrets {
  readonly #client: SecretsManagerClient;

  constructor(client = new SecretsManagerClient({})) {
    this.#client = client;
  }

  /**
   * Puts a connection string away, each under a name of its own: a name that is deleted stays taken for a while, and two
   * who create one job at once must not meet.
   * @returns the secret's ARN
   */
  async create(jobId: string, connectionString: string): Promise<string> {
    const { ARN = '' } = await this.#client.send(
      new CreateSecretCommand({
        Name: `${OWN_SECRETS}${jobId}/${randomBytes(6).toString('hex')}`,
        Description: `The connection string of Redshift Loader's job ${jobId}`,
        SecretString: connectionString,
        Tags: [{ Key: SECRET_TAG, Value: 'source' }],
      }),
    );
    return ARN;
  }

  /** For good: nobody else was ever given it. One that is gone already is as well. */
  async remove(arn: string): Promise<void> {
    await this.#client.send(new DeleteSecretCommand({ SecretId: arn, ForceDeleteWithoutRecovery: true }));
  }

  /** @throws LoaderError BadConfiguration where the source side could not read it */
  async check(arn: string): Promise<void> {
    const fail = (why: string) =>
      errors.badConfiguration(
        `the secret ${arn} can't be used (${why}): give it the tag ${SECRET_TAG}, with any value`,
      );
    try {
      const { Tags = [] } = await this.#client.send(new DescribeSecretCommand({ SecretId: arn }));
      if (!Tags.some(({ Key }) => Key === SECRET_TAG)) throw fail('it lacks the tag');
    } catch (error) {
      const { name } = error as Error;
      // The right to look at it goes by the tag: without it, there is nothing to see.
      if (name === 'AccessDeniedException') throw fail('there is none of this ARN, or it lacks the tag');
      if (name === 'ResourceNotFoundException') throw fail('there is none of this ARN');
      throw error;
    }
  }
}
