"""The types of the schema: one noun a file; importing this registers every noun."""

from schema.types.asset import Asset
from schema.types.audit import AuditEvent
from schema.types.credential import Credential
from schema.types.device import AzureAdDevice
from schema.types.directory_object import DirectoryObject, GroupOwner
from schema.types.group import Group
from schema.types.organization import Organization
from schema.types.run import TaskRun, TaskRunLogEntry
from schema.types.scan import ScanRecord
from schema.types.site import Site
from schema.types.task import Task
from schema.types.token import ApiToken
from schema.types.user import User
from schema.types.viewer import Server, Viewer
from schema.types.webhook import AlertDelivery, Webhook

__all__ = [
    "AlertDelivery",
    "ApiToken",
    "Asset",
    "AuditEvent",
    "AzureAdDevice",
    "Credential",
    "DirectoryObject",
    "Group",
    "GroupOwner",
    "Organization",
    "ScanRecord",
    "Server",
    "Site",
    "Task",
    "TaskRun",
    "TaskRunLogEntry",
    "User",
    "Viewer",
    "Webhook",
]
