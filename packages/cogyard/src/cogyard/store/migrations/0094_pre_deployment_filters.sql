-- A deployment's predictions of one version, and those that one member asked for, without walking all the others.
CREATE INDEX predictions_of_deployed_version ON predictions (deployment_id, version, id) WHERE deployment_id IS NOT NULL;
CREATE INDEX predictions_of_deployment_by_asker ON predictions (deployment_id, asked_by, id) WHERE asked_by IS NOT NULL;
