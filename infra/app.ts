import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { parseSettings } from './settings.ts';
import { RedshiftLoader } from './stack.ts';

const app = new App();
new RedshiftLoader(app, 'RedshiftLoader', parseSettings(app.node.tryGetContext('settings')));
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
