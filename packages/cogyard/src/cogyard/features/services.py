"""All services in one value: what routes and pages work with."""

from __future__ import annotations

from dataclasses import dataclass

from cogyard.features.accounts.service import Accounts
from cogyard.features.audit.service import Audit
from cogyard.features.collections.service import Collections
from cogyard.features.deployments.service import Deployments
from cogyard.features.examples.service import Examples
from cogyard.features.exports.service import Exports
from cogyard.features.files.service import Files
from cogyard.features.hardware.service import HardwareList
from cogyard.features.instances.service import InstanceRecords
from cogyard.features.limits.service import ModelAdmission
from cogyard.features.models.service import Models
from cogyard.features.organizations.service import Organizations
from cogyard.features.predictions.service import Predictions
from cogyard.features.retention.service import Retention
from cogyard.features.trainings.service import Trainings
from cogyard.features.usage.service import Usage
from cogyard.features.versions.removing import Removals
from cogyard.features.versions.service import Versions
from cogyard.features.webhooks.calls import WebhookCalls
from cogyard.features.webhooks.endpoints import Endpoints
from cogyard.features.webhooks.service import Deliveries


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the platform can do; at `request.app.state.services`."""

    accounts: Accounts
    organizations: Organizations
    models: Models
    versions: Versions
    removals: Removals
    predictions: Predictions
    examples: Examples
    collections: Collections
    deployments: Deployments
    trainings: Trainings
    usage: Usage
    files: Files
    hardware: HardwareList
    limits: ModelAdmission
    retention: Retention
    calls: WebhookCalls
    endpoints: Endpoints
    exports: Exports
    instances: InstanceRecords
    audit: Audit | None = None
    """What notes who did what; None where nothing is noted."""
    webhooks: Deliveries | None = None
    """What tells other servers; None on a platform that calls nobody."""
